import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { MachineRoot } from './make-root.ts';

export type Machine = MachineRoot & {
  /** Images beside its root, in the order in which it sees them. Nothing is written to them, nor to the root. */
  readonly disks: readonly string[];
  /** As qemu names it: emulated (`tcg`) everywhere, `kvm` where the processor can. */
  readonly accel: string;
  /** Where it mounts the first of them. */
  readonly project: string;
  /** Files of `salvor/test/volumes/`, with commas between. */
  readonly kinds: string;
  /** Each line of its console. */
  readonly onLine: (line: string) => void;
};

/** What init says at its end. */
const OUTCOME = /^salvor-machine: (\d+)\s*$/;
const OPTIONS = ['-cpu', 'max', '-smp', '2', '-m', '3072', '-no-reboot'];
const NO_DEVICES = ['-nodefaults', '-display', 'none', '-serial', 'stdio', '-nic', 'none'];

/** Boots it and gives what its tests ended with; null where it switched itself off without a word. */
export async function bootMachine(machine: Machine, signal: AbortSignal): Promise<number | null> {
  const disks = [machine.image, ...machine.disks].flatMap((file) => [
    '-drive',
    `file=${file},if=virtio,format=raw,snapshot=on,cache=unsafe`,
  ]);
  const kernel = ['-kernel', machine.kernel, '-initrd', machine.initrd];
  // What the kernel does not know goes into the environment of init.
  const own = `project=${machine.project} kinds=${machine.kinds}`;
  const line = `root=/dev/vda rw console=ttyS0 quiet panic=-1 init=/usr/sbin/machine-init ${own}`;
  const words = ['-accel', machine.accel, ...OPTIONS, ...NO_DEVICES, ...disks, ...kernel, '-append', line];
  const child = spawn('qemu-system-x86_64', words, { stdio: ['ignore', 'pipe', 'inherit'], signal });
  const closed = once(child, 'close');
  let outcome: number | null = null;
  for await (const text of createInterface({ input: child.stdout })) {
    const found = OUTCOME.exec(text);
    if (found === null) machine.onLine(text);
    else outcome = Number(found[1]);
  }
  await closed;
  return outcome;
}
