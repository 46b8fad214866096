/**
 * A virtual host that answers nothing but 503: a few marked lines in each of its blocks, before everything else that
 * decides there. Names, document root, certificates and log-ins stay where they are, so that it is still this site's,
 * and without the marked lines the file is what it was, to the byte.
 */
import { type VhostBlock, type VhostKind, parseVhostText } from './vhost-syntax.ts';

/** Of nginx the first line of a block: it is asked before any location. Of Apache the last section, which says over all before. */
const MARKED: Readonly<Record<VhostKind, string>> = {
  nginx: '\n  return 503; # switched off by salvor disable\n',
  apache: [
    '  # switched off by salvor disable',
    '  <Location "/">',
    '    Redirect 503',
    '  </Location>',
    '  # to here by salvor disable\n',
  ].join('\n'),
};

/** The text with the lines in each of its blocks. One that has them in all stays as it is. */
export function switchVhostOff(text: string): string {
  const { kind, blocks } = parseVhostText(text);
  const places = blocks.filter((block) => !isBlockOff(text, kind, block)).map((block) => placeIn(kind, block));
  return places.toReversed().reduce((changed, at) => changed.slice(0, at) + MARKED[kind] + changed.slice(at), text);
}

/** The text without them. */
export function switchVhostOn(text: string): string {
  const { kind } = parseVhostText(text);
  return text.replaceAll(MARKED[kind], '');
}

export function isBlockOff(text: string, kind: VhostKind, { bodyStart, bodyEnd }: VhostBlock): boolean {
  const body = text.slice(bodyStart, bodyEnd);
  return kind === 'nginx' ? body.startsWith(MARKED.nginx) : body.trimEnd().endsWith(MARKED.apache.trimEnd());
}

function placeIn(kind: VhostKind, { bodyStart, bodyEnd }: VhostBlock): number {
  return kind === 'nginx' ? bodyStart : bodyEnd;
}
