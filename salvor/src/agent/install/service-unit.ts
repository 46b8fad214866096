export type ServiceWish = {
  readonly command: string;
  readonly config: string;
  /** Directories that must be mounted before the agent starts. */
  readonly places: readonly string[];
};

/**
 * The agent's systemd unit. It is root and must write in every home, set owners and modes (setgid directories are what
 * Drupal sites are made of), start programs as other users and, for snapshots and drills, mount: what is taken away is
 * all that this does not need. Its programs map code (the JavaScript engine), and homes lie anywhere: hence no
 * `MemoryDenyWriteExecute`, no `ProtectHome`, no `PrivateTmp` (database sockets lie there). No `ProtectClock`: it shuts out
 * the devices of snapshots, and without `CAP_SYS_TIME` nobody sets the clock. No `ProtectControlGroups`: a night lowers the
 * weights of the service's own group (`lib/give-way.ts`), whose files are there where the unit names weights.
 */
export function renderUnit({ command, config, places }: ServiceWish): string {
  return `# Written by 'salvor install', and again by each. Changes of your own belong into
# /etc/systemd/system/salvor-agent.service.d/NAME.conf.
[Unit]
Description=Salvor agent: backups of this host's sites
Documentation=file://${escapeSpecifiers(command.replace(/bin\/salvor$/, 'README.md'))}
After=network-online.target local-fs.target mariadb.service mysql.service time-sync.target
Wants=network-online.target
ConditionPathExists=${escapeSpecifiers(config)}
RequiresMountsFor=${places.map(quote).join(' ')}

[Service]
Type=exec
ExecStart=${quote(command)} agent --config ${quote(config)}
Restart=on-failure
RestartSec=30
# A task that runs is taken back first; a second signal would leave that to the next start.
KillMode=mixed
TimeoutStopSec=5min
UMask=0077
LimitNOFILE=65536
TasksMax=4096
CPUWeight=100
IOWeight=100

NoNewPrivileges=yes
CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_IPC_LOCK CAP_KILL CAP_MKNOD CAP_SETFCAP CAP_SETGID CAP_SETPCAP CAP_SETUID CAP_SYS_ADMIN CAP_SYS_CHROOT CAP_SYS_NICE CAP_SYS_RESOURCE
ProtectSystem=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictRealtime=yes
SystemCallArchitectures=native
SystemCallFilter=~@cpu-emulation @module @obsolete @raw-io @reboot @swap
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`;
}

/** One word of a command line, whatever is in it. */
function quote(text: string): string {
  const escaped = escapeSpecifiers(text).replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('$', '$$$$');
  return /^[\w@./:+-]+$/.test(text) ? text : `"${escaped}"`;
}

function escapeSpecifiers(text: string): string {
  return text.replaceAll('%', '%%');
}
