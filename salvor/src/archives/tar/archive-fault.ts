/**
 * What is wrong with an archive, before it is known which one it is: whoever opened it names the file and throws the
 * coded error. `damaged`: cut off or changed by chance; `hostile`: says what no tar program writes of a site.
 */
export class ArchiveFault extends Error {
  override readonly name = 'ArchiveFault';
  readonly kind: 'damaged' | 'hostile' | 'too-large' | 'unsupported';

  constructor(kind: ArchiveFault['kind'], message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options);
    this.kind = kind;
  }
}
