/**
 * Reads what the architecture test judges out of TypeScript files: every way in which a file names another, and every
 * place where a branded type is declared or minted. TypeScript's own parser does the reading, so that strings,
 * comments and templates cannot fool it; nothing is resolved or type-checked.
 */
import { posix } from 'node:path';
import {
  type Node,
  type SourceFile,
  SyntaxKind,
  isAsExpression,
  isCallExpression,
  isExportDeclaration,
  isIdentifier,
  isImportDeclaration,
  isImportEqualsDeclaration,
  isImportTypeNode,
  isLiteralTypeNode,
  isNamedImports,
  isNewExpression,
  isNoSubstitutionTemplateLiteral,
  isPropertyAccessExpression,
  isStringLiteral,
  isTypeAliasDeclaration,
  isTypeAssertion,
  isTypeReferenceNode,
} from 'typescript/unstable/ast';
import { createVirtualFileSystem } from 'typescript/unstable/fs';
import { API } from 'typescript/unstable/sync';

/** Path from the project's root → text. */
export type SourceTexts = Readonly<Record<string, string>>;

export type Import = {
  readonly line: number;
  /** As written; null where it is computed, so that nobody can tell what is imported. */
  readonly specifier: string | null;
  /** Nothing of it is left when the code runs. */
  readonly isTypeOnly: boolean;
};

export type Source = {
  readonly path: string;
  readonly imports: readonly Import[];
  /** Names of the branded types that the file declares (`type X = Brand<…>`). */
  readonly brands: readonly string[];
  /** Type names in the file's type assertions: `x as readonly BlobId[]` names `BlobId`. */
  readonly asserted: readonly { readonly line: number; readonly name: string }[];
};

const ROOT = '/project';

/** All sources, in the order of their paths. Throws where a file cannot be parsed. */
export function readSources(texts: SourceTexts): readonly Source[] {
  const files = Object.fromEntries(Object.entries(texts).map(([path, text]) => [posix.join(ROOT, path), text]));
  const config = {
    compilerOptions: { allowJs: true, noResolve: true, noLib: true, types: [] },
    files: Object.keys(files),
  };
  const configFile = posix.join(ROOT, 'tsconfig.json');
  const api = new API({ fs: createVirtualFileSystem({ ...files, [configFile]: JSON.stringify(config) }) });
  try {
    const program = api.updateSnapshot({ openProjects: [configFile] }).getProject(configFile)?.program;
    if (program === undefined) throw new Error('TypeScript did not open the project');
    return Object.keys(texts)
      .toSorted()
      .map((path) => {
        const file = program.getSourceFile(posix.join(ROOT, path));
        if (file === undefined) throw new Error(`${path} was not read`);
        const [fault] = program.getSyntacticDiagnostics(posix.join(ROOT, path));
        if (fault !== undefined) throw new Error(`${path} cannot be parsed: ${fault.text}`);
        return readSource(path, file);
      });
  } finally {
    api.close();
  }
}

function readSource(path: string, file: SourceFile): Source {
  const imports: Import[] = [];
  const brands: string[] = [];
  const asserted: { line: number; name: string }[] = [];
  const visit = (node: Node): void => {
    const line = file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;
    const found = readImport(node);
    if (found !== null) imports.push({ line, ...found });
    if (isTypeAliasDeclaration(node) && isBrand(node.type)) brands.push(node.name.text);
    if (isAsExpression(node) || isTypeAssertion(node)) {
      for (const name of typeNames(node.type)) asserted.push({ line, name });
    }
    node.forEachChild(visit);
  };
  visit(file);
  return { path, imports, brands, asserted };
}

function readImport(node: Node): Omit<Import, 'line'> | null {
  if (isImportDeclaration(node)) {
    const clause = node.importClause;
    const bindings = clause?.namedBindings;
    const isEachType =
      clause?.name === undefined &&
      bindings !== undefined &&
      isNamedImports(bindings) &&
      bindings.elements.length > 0 &&
      bindings.elements.every((element) => element.isTypeOnly);
    const isTypeOnly = clause?.phaseModifier === SyntaxKind.TypeKeyword || isEachType;
    return { specifier: literalText(node.moduleSpecifier), isTypeOnly };
  }
  if (isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
    return { specifier: literalText(node.moduleSpecifier), isTypeOnly: node.isTypeOnly };
  }
  if (isImportTypeNode(node)) {
    const { argument } = node;
    return { specifier: isLiteralTypeNode(argument) ? literalText(argument.literal) : null, isTypeOnly: true };
  }
  // `import x = require('y')` does not run here, and the type check says so; were it let through, it would be unread.
  if (isImportEqualsDeclaration(node)) return { specifier: null, isTypeOnly: false };
  if (isCallExpression(node) && isImportingCall(node.expression)) {
    return { specifier: literalText(node.arguments[0]), isTypeOnly: false };
  }
  if (isNewExpression(node)) return readFileUrl(node);
  return null;
}

/** `import(…)`, `require(…)`, `import.meta.resolve(…)`. */
function isImportingCall(callee: Node): boolean {
  if (callee.kind === SyntaxKind.ImportKeyword) return true;
  if (isIdentifier(callee)) return callee.text === 'require';
  return isPropertyAccessExpression(callee) && callee.name.text === 'resolve' && isImportMeta(callee.expression);
}

/** `new URL('./x.ts', import.meta.url)`, which is how a worker is named, where it points at code. */
function readFileUrl(node: Node): Omit<Import, 'line'> | null {
  if (!isNewExpression(node) || !isIdentifier(node.expression) || node.expression.text !== 'URL') return null;
  const [target, base] = node.arguments ?? [];
  if (base === undefined || !isPropertyAccessExpression(base) || !isImportMeta(base.expression)) return null;
  const specifier = literalText(target);
  if (specifier === null) return { specifier, isTypeOnly: false };
  if (!/\.[cm]?[jt]s$/.test(specifier)) return null;
  // Unlike an import, a URL without `./` is relative too.
  return { specifier: /^\w+:|^[./]/.test(specifier) ? specifier : `./${specifier}`, isTypeOnly: false };
}

function isImportMeta(node: Node): boolean {
  return node.kind === SyntaxKind.MetaProperty;
}

function literalText(node: Node | undefined): string | null {
  if (node === undefined) return null;
  return isStringLiteral(node) || isNoSubstitutionTemplateLiteral(node) ? node.text : null;
}

function isBrand(type: Node): boolean {
  return isTypeReferenceNode(type) && isIdentifier(type.typeName) && type.typeName.text === 'Brand';
}

function typeNames(type: Node): readonly string[] {
  const names: string[] = [];
  const visit = (node: Node): void => {
    if (isTypeReferenceNode(node) && isIdentifier(node.typeName)) names.push(node.typeName.text);
    node.forEachChild(visit);
  };
  visit(type);
  return names;
}
