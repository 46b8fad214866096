import type { NotSiteDocument } from '@salvor/contract';

/** Something that looks like a site or a platform and is none, with the reason. */
export type NotSite = {
  readonly code: NotSiteCode;
  /** Absolute. What is not UTF-8 in it shows as `\xHH`. */
  readonly path: string;
  /** Ends the sentence "it is none: it is ...", for people. */
  readonly reason: string;
};

export type NotSiteCode = NotSiteDocument['code'];
