import { getXattr, listXattrs } from '@salvor/engine/libc';
import { errnoOf } from '../errno.ts';
import { type Spot, pathOfSpot } from './spot.ts';

export type Attribute = { readonly name: string; readonly value: Buffer };

/** The extended attributes of what is there, of a link its own, in the order of their names; what vanishes meanwhile is left out. */
export function readAttributesAt(spot: Spot): readonly Attribute[] {
  const path = pathOfSpot(spot);
  const attributes: Attribute[] = [];
  try {
    for (const name of listXattrs(path).toSorted()) attributes.push({ name, value: getXattr(path, name) });
  } catch (error) {
    const code = errnoOf(error);
    if (code !== 'ENODATA' && code !== 'ENOENT') throw error;
  }
  return attributes;
}
