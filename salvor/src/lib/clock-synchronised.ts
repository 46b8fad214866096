/** Whether the kernel says that this machine's clock is kept right; sites and tasks know the engine only through here. */
export { isClockSynchronised } from '@salvor/engine/libc';
