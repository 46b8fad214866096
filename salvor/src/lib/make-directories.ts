/** Makes a directory with those above it; where Node's own call may hang. */
export { makeDirectories } from '@salvor/engine/libc';
