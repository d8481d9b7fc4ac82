// A solc command line around npm's `solc`, for Brownie, Forge and Slither alike.
//
// npm's package is the only build of the compiler that a plain package registry carries, and its own command
// line speaks another dialect. These tools need two calls: `--version` and `--standard-json`, the input on stdin.
// Loading the compiler takes about a second, so `--version` answers from its small package.json and build stamp.
"use strict";
const fs = require("fs");
const path = require("path");

const root = path.resolve(__dirname, "..");
const home = path.join(root, "node_modules", "solc");
const stamp = path.join(root, ".tools", "solc", "version");

function fail(message) {
  process.stderr.write(`solc: ${message}\n`);
  process.exit(1);
}

function version() {
  try {
    return fs.readFileSync(stamp, "utf8").trim();
  } catch {
    return require(home).version(); // first call, by tools/setup.py, which writes the stamp
  }
}

function valueOf(args, flag) {
  const at = args.findIndex((arg) => arg === flag || arg.startsWith(`${flag}=`));
  if (at < 0) return undefined;
  return args[at].includes("=") ? args[at].slice(flag.length + 1) : args[at + 1];
}

// Imports that the input does not carry are read from disk, as solc does, but only below the folder that we run
// in, the clone, and what the caller allows.
function reader(args) {
  const base = path.resolve(valueOf(args, "--base-path") || ".");
  const allowed = (valueOf(args, "--allow-paths") || "").split(",").filter(Boolean);
  const roots = [base, root, ...allowed].map((folder) => path.resolve(folder));
  return (name) => {
    const file = path.resolve(base, name.replace(/^file:\/\//, ""));
    if (!roots.some((folder) => file === folder || file.startsWith(folder + path.sep))) {
      return { error: `File outside of allowed directories: ${file}` };
    }
    try {
      return { contents: fs.readFileSync(file, "utf8") };
    } catch (problem) {
      return { error: `File not found: ${file} (${problem.code})` };
    }
  };
}

const args = process.argv.slice(2);
if (!fs.existsSync(home)) fail("node_modules/solc is missing: run `make setup`");
if (args.includes("--version")) {
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${version()}\n`);
} else if (args.includes("--standard-json")) {
  const output = require(home).compile(fs.readFileSync(0, "utf8"), { import: reader(args) });
  process.stdout.write(output + "\n");
} else {
  fail(`only --version and --standard-json are supported here, not: ${args.join(" ")}`);
}
