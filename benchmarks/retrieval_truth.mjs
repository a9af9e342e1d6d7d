// Definitions, callers and importers of a JavaScript or TypeScript package, by TypeScript's own checker.
// node retrieval_truth.mjs FOLDER_WITH_TYPESCRIPT PACKAGE; writes JSON: {definition: [...], callers: [...], dependencies: [...]}.
// Only files that people write count: what is built, or has a copy that is built, is left out.
import { createRequire } from "node:module";
import path from "node:path";
import process from "node:process";

const [toolFolder, root] = process.argv.slice(2).map((each) => path.resolve(each));
const ts = createRequire(path.join(toolFolder, "package.json"))("typescript");
const built = /(^|\/)(dist|esm|umd|node_modules|lib\/umd|generated|_esm5|_esm2015|fp|_esm|v4-mini)(\/|$)|\.min\.js$|\.d\.[cm]?ts$/;
const hasSource = ts.sys.directoryExists(path.join(root, "src"));
const extensions = hasSource ? [".ts", ".tsx"] : [".js", ".mjs", ".ts"];
const files = ts.sys.readDirectory(root, extensions, undefined, undefined)
  .filter((each) => !built.test(path.relative(root, each)) && (!hasSource || path.relative(root, each).startsWith("src/")));
const options = {
  allowJs: true, checkJs: true, noEmit: true, skipLibCheck: true, target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.CommonJS,
  moduleResolution: ts.ModuleResolutionKind.Node10, maxNodeModuleJsDepth: 0, types: [], allowImportingTsExtensions: true,
};
const program = ts.createProgram(files, options);
const checker = program.getTypeChecker();
const own = new Set(files.map((each) => path.resolve(each)));
const short = (file) => path.relative(root, file.fileName);
const lineOf = (file, place) => file.getLineAndCharacterOfPosition(place).line + 1;

const declared = new Map(); // name -> [{symbol, place}]
const calls = new Map(); // declaration node -> Map("path:line" -> place)
const named = new Map(); // name -> how many calls of this name were not understood
const users = new Map(); // file -> Set(file)

function settled(symbol) {
  return symbol && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

function declare(node, name) {
  const file = node.getSourceFile();
  if (!declared.has(name.text)) declared.set(name.text, []);
  declared.get(name.text).push({ node, place: [short(file), lineOf(file, node.getStart(file)), lineOf(file, name.getStart(file))] });
}

function call(node) {
  const callee = ts.isPropertyAccessExpression(node.expression) ? node.expression.name : node.expression;
  if (!ts.isIdentifier(callee)) return;
  const declaration = settled(checker.getSymbolAtLocation(callee))?.declarations?.[0];
  if (declaration === undefined) named.set(callee.text, (named.get(callee.text) ?? 0) + 1);
  else {
    const file = node.getSourceFile();
    const line = lineOf(file, callee.getStart(file));
    if (!calls.has(declaration)) calls.set(declaration, new Map());
    calls.get(declaration).set(`${short(file)}:${line}`, [short(file), line, line]);
  }
}

function depend(file, text) {
  const found = ts.resolveModuleName(text, file.fileName, options, ts.sys).resolvedModule?.resolvedFileName;
  if (found === undefined || !own.has(path.resolve(found))) return;
  const target = path.relative(root, found);
  if (!users.has(target)) users.set(target, new Set());
  users.get(target).add(short(file));
}

function visit(node) {
  if ((ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node) || ts.isMethodDeclaration(node)) &&
      node.name && ts.isIdentifier(node.name) && (node.body !== undefined || !ts.isFunctionLike(node))) declare(node, node.name);
  if (ts.isCallExpression(node) || ts.isNewExpression(node)) call(node);
  const file = node.getSourceFile();
  if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) depend(file, node.moduleSpecifier.text);
  if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === "require" &&
      node.arguments.length === 1 && ts.isStringLiteral(node.arguments[0])) depend(file, node.arguments[0].text);
  ts.forEachChild(node, visit);
}

for (const each of program.getSourceFiles()) if (own.has(path.resolve(each.fileName))) visit(each);

const definition = [];
const callers = [];
for (const [name, places] of declared) {
  if (name.length < 5 || places.length !== 1 || /test/.test(places[0].place[0])) continue;
  definition.push({ name, query: name, truth: [places[0].place] });
  const found = [...(calls.get(places[0].node)?.values() ?? [])];
  if (!named.get(name) && found.length >= 2 && found.length <= 60) callers.push({ name, query: name, truth: found });
}
const dependencies = [...users].filter(([target, found]) => found.size >= 2 && found.size <= 60 && !/(^|\/)index\.[jt]s$|test/.test(target))
  .map(([target, found]) => ({ name: path.basename(target).replace(/\.\w+$/, ""), query: target, truth: [...found].sort().map((each) => [each, 0, 0]) }));
process.stdout.write(JSON.stringify({ definition, callers, dependencies }));
