/**
 * PHP source as a tree. Owns the one place that touches the parser, the limits on what it is given
 * and the shapes of the nodes that are understood here; knows nothing of values.
 *
 * Source is handed to the parser with one character per byte: PHP's strings are bytes, and offsets,
 * escapes and concatenation are only exact that way.
 */
import phpParser from 'php-parser';

/** More than any settings file needs; a tenant may write what he likes. */
export const MAX_PHP_FILE_BYTES = 1 << 20;

export type PhpArgument =
  | PhpExpression
  | { readonly kind: 'variadic'; readonly loc?: Location }
  | { readonly kind: 'namedargument'; readonly loc?: Location };

export type PhpEntry = {
  readonly kind: 'entry';
  readonly key: PhpExpression | null;
  readonly value: PhpExpression;
  readonly byRef: boolean;
  readonly unpack: boolean;
};

type Location = { readonly start: { readonly line: number } };
type Located = { readonly loc?: Location; readonly raw?: string };
type Text = Located & { readonly kind: 'string'; readonly raw: string };
export type EncapsedPart = { readonly expression: PhpExpression; readonly syntax: 'simple' | 'complex' | null };
export type Encapsed = Located & {
  readonly kind: 'encapsed';
  readonly type: 'string' | 'heredoc' | 'shell';
  readonly raw: string;
  readonly value: readonly EncapsedPart[];
};

/** The expressions that are understood. The parser makes others: whoever switches needs a default. */
export type PhpExpression =
  | Text
  | Encapsed
  | (Located & { kind: 'nowdoc'; value: string })
  | (Located & { kind: 'number'; value: string })
  | (Located & { kind: 'boolean'; value: boolean })
  | (Located & { kind: 'nullkeyword' })
  | (Located & { kind: 'magic'; value: string })
  | (Located & { kind: 'name'; name: string })
  | (Located & { kind: 'identifier'; name: string })
  | (Located & { kind: 'variable'; name: string | PhpExpression; byref?: boolean })
  | (Located & { kind: 'offsetlookup'; what: PhpExpression; offset: PhpExpression | false })
  | (Located & { kind: 'staticlookup'; what: PhpExpression; offset: PhpExpression })
  | (Located & { kind: 'propertylookup'; what: PhpExpression })
  | (Located & { kind: 'array'; items: readonly (PhpEntry | PhpExpression | null)[] })
  | (Located & { kind: 'list'; items: readonly (PhpEntry | null)[] })
  | (Located & { kind: 'assign'; left: PhpExpression; right: PhpExpression; operator: string })
  | (Located & { kind: 'assignref'; left: PhpExpression; right: PhpExpression })
  | (Located & {
      kind: 'bin';
      type: string;
      left: PhpExpression;
      right: PhpExpression;
      parenthesizedExpression?: boolean;
    })
  | (Located & { kind: 'unary'; type: string; what: PhpExpression })
  | (Located & { kind: 'pre' | 'post'; type: '+' | '-'; what: PhpExpression })
  | (Located & { kind: 'cast'; type: string; expr: PhpExpression })
  | (Located & { kind: 'silent'; expr: PhpExpression })
  | (Located & { kind: 'retif'; test: PhpExpression; trueExpr: PhpExpression | null; falseExpr: PhpExpression })
  | (Located & { kind: 'isset'; variables: readonly PhpExpression[] })
  | (Located & { kind: 'empty'; expression: PhpExpression })
  | (Located & { kind: 'include'; once: boolean; require: boolean; target: PhpExpression })
  | (Located & { kind: 'eval'; source: PhpExpression })
  | (Located & { kind: 'exit'; expression: PhpExpression | null })
  | (Located & { kind: 'print'; expression: PhpExpression })
  | (Located & { kind: 'throw'; what: PhpExpression })
  | (Located & { kind: 'call'; what: PhpExpression; arguments: readonly PhpArgument[] })
  | (Located & { kind: 'new'; arguments: readonly PhpArgument[] })
  | (Located & { kind: 'closure'; uses: readonly { readonly name: string; readonly byref: boolean }[] });

export type PhpConstant = { readonly name: string | { readonly name: string }; readonly value: PhpExpression };

/** The statements that are understood. The parser makes others. */
export type PhpStatement =
  | (Located & { kind: 'expressionstatement'; expression: PhpExpression })
  | (Located & { kind: 'block' | 'namespace' | 'declare'; children: readonly PhpStatement[] })
  | (Located & { kind: 'if'; test: PhpExpression; body: PhpStatement; alternate: PhpStatement | null })
  | (Located & { kind: 'unset'; variables: readonly PhpExpression[] })
  | (Located & { kind: 'constantstatement'; constants: readonly PhpConstant[] })
  | (Located & { kind: 'echo'; expressions: readonly PhpExpression[] })
  | (Located & { kind: 'return'; expr: PhpExpression | null })
  | (Located & { kind: 'throw'; what: PhpExpression })
  | (Located & { kind: 'try'; body: PhpStatement; catches: readonly unknown[]; always: PhpStatement | null })
  | (Located & { kind: 'class'; name: { readonly name: string } | null; body: readonly ClassMember[] })
  | (Located & { kind: 'function'; name: { readonly name: string }; body: PhpStatement })
  | (Located & { kind: 'global' | 'inline' | 'noop' | 'usegroup' | 'interface' | 'trait' | 'enum' | 'halt' })
  | (Located & { kind: 'for' | 'foreach' | 'while' | 'do' | 'switch' | 'static' | 'goto' | 'label' });

export type ClassMember = { readonly kind: string; readonly constants?: readonly PhpConstant[] };

export type PhpSyntax =
  | {
      readonly ok: true;
      readonly statements: readonly PhpStatement[];
      /** Where comments stand, in bytes. */
      readonly comments: readonly { readonly start: number; readonly end: number }[];
    }
  | { readonly ok: false; readonly code: 'syntax' | 'too-large'; readonly message: string; readonly line: number };

/** Parses one file's bytes. Never runs anything and never throws. */
export function parsePhp(bytes: Uint8Array): PhpSyntax {
  if (bytes.byteLength > MAX_PHP_FILE_BYTES) {
    return { ok: false, code: 'too-large', message: `larger than ${MAX_PHP_FILE_BYTES} bytes`, line: 1 };
  }
  const source = Buffer.from(bytes).toString('latin1');
  try {
    const parser = new phpParser.Engine({
      // Comments are asked for to find one that never ends, which the parser accepts and PHP does not.
      parser: { extractDoc: true, suppressErrors: false, version: 805 },
      ast: { withPositions: true },
    });
    const program = parser.parseCode(source, 'php') as unknown as ParsedProgram;
    const open = unendedComment(program, source);
    if (open !== null) return { ok: false, code: 'syntax', message: 'a comment that never ends', line: open };
    const comments = (program.comments ?? []).flatMap(({ loc }) =>
      loc === undefined ? [] : [{ start: loc.start.offset, end: loc.end.offset }],
    );
    return { ok: true, statements: program.children, comments };
  } catch (error) {
    if (error instanceof RangeError) return { ok: false, code: 'too-large', message: 'nested too deeply', line: 1 };
    const line = lineOf(error);
    return { ok: false, code: 'syntax', message: `a syntax error on line ${line}`, line };
  }
}

/** The line of a node, for people. */
export function lineOfNode(node: object): number {
  return (node as Located).loc?.start.line ?? 0;
}

type ParsedProgram = {
  readonly children: readonly PhpStatement[];
  readonly comments?: readonly {
    readonly kind: string;
    readonly loc?: {
      readonly start: { readonly line: number; readonly offset: number };
      readonly end: { readonly offset: number };
    };
  }[];
};

function unendedComment(program: ParsedProgram, source: string): number | null {
  const last = program.comments?.findLast((comment) => comment.kind === 'commentblock');
  if (last?.loc === undefined) return null;
  return source.indexOf('*/', last.loc.start.offset + 2) === -1 ? last.loc.start.line : null;
}

// The parser's own message may quote the source, and with it a password: only the line is taken.
function lineOf(error: unknown): number {
  if (typeof error !== 'object' || error === null) return 1;
  if ('lineNumber' in error && typeof error.lineNumber === 'number') return error.lineNumber;
  const match = 'message' in error ? /line (\d+)/.exec(String(error.message)) : null;
  return match === null ? 1 : Number(match[1]);
}
