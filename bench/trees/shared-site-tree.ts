import { join } from 'node:path';
import type { RowContext } from '../rows/rows.ts';
import { makeSiteTree } from './site-tree.ts';
import type { SiteTree } from './site-tree.ts';

/** The generated home, made by the first row that asks for it. */
export async function sharedSiteTree({ place, scale, signal, say }: RowContext): Promise<SiteTree> {
  if (place.siteTree !== null) return place.siteTree;
  say('Making the tree …');
  return (place.siteTree = await makeSiteTree(join(place.work, 'home'), scale, signal));
}
