// Runs two public validators of Amazon States Language, and the JSONata compiler, over the definition on standard
// input. Prints {"problems": [...]}.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(import.meta.url);
const aslValidator = require("asl-validator");
const { getLanguageService, TextDocument } = require("amazon-states-language-service");
const jsonata = require("jsonata");

const text = readFileSync(0, "utf8");
const problems = [];
const definition = JSON.parse(text);

const { errors } = aslValidator(definition, { checkPaths: true, checkArn: true });
for (const e of errors) {
  problems.push(`asl-validator: ${e.Message ?? e.message ?? JSON.stringify(e)}`);
}

const document = TextDocument.create("file:///rotation.asl.json", "asl", 1, text);
const service = getLanguageService({});
const diagnostics = await service.doValidation(document, service.parseJSONDocument(document));
for (const d of diagnostics) {
  problems.push(`amazon-states-language-service: line ${d.range.start.line + 1}: ${d.message}`);
}

function expressions(node, path) {
  if (typeof node === "string") {
    const m = /^\{%([\s\S]*)%\}$/.exec(node);
    if (m) {
      try {
        jsonata(m[1]);
      } catch (err) {
        problems.push(`jsonata: ${path}: ${err.message}`);
      }
    } else if (node.includes("{%") || node.includes("%}")) {
      problems.push(`jsonata: ${path}: an expression must be the whole string`);
    }
    return;
  }
  if (node && typeof node === "object") {
    for (const [k, v] of Object.entries(node)) {
      expressions(v, path ? `${path}.${k}` : k);
    }
  }
}
expressions(definition, "");

process.stdout.write(JSON.stringify({ problems }) + "\n");
