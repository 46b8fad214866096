# The first process of the machine once its disks are there: sets up what the tests need, runs them, says how they ended
# on the console, and switches the machine off. `$kinds` and `$project` come from the kernel's command line.
export PATH="$project/node_modules/.bin:/usr/sbin:/usr/bin:/sbin:/bin" HOME=/root LANG=C.UTF-8 NO_COLOR=1
export NODE_COMPILE_CACHE="$project/node_modules/.cache/compile"
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount /dev/vdc /tmp && chmod 1777 /tmp
ip link set lo up
hostname machine
echo '127.0.0.1 localhost machine' >/etc/hosts
modprobe -a loop zfs
# Its daemon watches how full volumes are, which is not what is tried here, and slow to start where all is emulated.
echo 'activation { monitoring = 0 }' >/etc/lvm/lvmlocal.conf
/lib/systemd/systemd-udevd --daemon 2>/dev/null
udevadm trigger --action=add
udevadm settle
echo "Linux $(uname -r), LVM $(lvm version | sed -n 's/.*LVM version: *//p'), ZFS $(modinfo -F version zfs), booted after $(cut -d' ' -f1 /proc/uptime) s"
status=0
for kind in $(echo "$kinds" | tr , ' '); do
  node --import ./salvor/src/lib/resolve-sources.ts --test --test-reporter=spec "salvor/test/volumes/$kind.ts" || status=1
done
echo "salvor-machine: $status"
echo o >/proc/sysrq-trigger
sleep 60
