#!/usr/bin/env python3
"""triggers.toml and docs/reference/configuration.md have every key that the configuration has, and
docs/reference/openapi.yaml those of aliases and triggers.

A key is a string literal that runtime/config/ asks a TableReader for. Tables are not told apart: a
key that two of them have has to be there once.
"""
import pathlib
import re
import sys

READ = re.compile(r'\breader(?:\.|->)(?:get|text|path|texts|payload|string|boolean|number|duration|size|'
                  r'integer|choice|table)\(\s*"([a-z0-9_]+)"')
HANDED_ON = [re.compile(r'\bread_backoff\(\*reader, "([a-z_]+)", "([a-z_]+)"'),
             re.compile(r'\bread_(?:payload|secret_file)\(\*?reader, "([a-z_]+)"'),
             re.compile(r'\bread_(?:one_table|named)\(reader, "([a-z_]+)"'),
             re.compile(r'\bread_log_level\(reader, "([a-z_]+)"'),
             re.compile(r'^  name\("([a-z_]+)"', re.MULTILINE)]
# TableReader's own, and a package's file beside its triggers.toml.
OTHER_FILES = {"table_reader.cpp", "local_values.cpp"}


def asked_for(folder, files="*.cpp"):
    """key -> the first file that asks for it"""
    keys = {}
    for path in sorted(folder.glob(files)):
        if path.name in OTHER_FILES:
            continue
        text = path.read_text(encoding="utf-8")
        for pattern in [READ, *HANDED_ON]:
            for match in pattern.finditer(text):
                for key in match.groups():
                    keys.setdefault(key, path)
    return keys


def main():
    root = pathlib.Path(sys.argv[1])
    keys = asked_for(root / "runtime/config")
    example = (root / "triggers.toml").read_text(encoding="utf-8")
    page = (root / "docs/reference/configuration.md").read_text(encoding="utf-8")
    problems = []
    for key, path in sorted(keys.items()):
        if not re.search(rf"\b{key} = |\[{key}[.\]]|\.{key}\]", example):
            problems.append(f'{path}: triggers.toml does not have "{key}"')
        if f"`{key}`" not in page and not re.search(rf"\[{key}[.\]]", page):
            problems.append(f'{path}: docs/reference/configuration.md does not have "{key}"')
    api = (root / "docs/reference/openapi.yaml").read_text(encoding="utf-8")
    for section, schema in (("trigger_section.cpp", "TriggerDefinition"), ("alias_section.cpp", "AliasDefinition")):
        text = re.search(rf"^    {schema}:\n((?:      .*\n|\n)+)", api, re.MULTILINE)
        if text is None:
            problems.append(f"docs/reference/openapi.yaml has no {schema}")
            continue
        for key, path in sorted(asked_for(root / "runtime/config", section).items()):
            if not re.search(rf"^ +{key}: ", text.group(1) + " ", re.MULTILINE) and f" {key}:\n" not in text.group(1):
                problems.append(f'{path}: {schema} of docs/reference/openapi.yaml does not have "{key}"')
    if len(keys) < 70:
        problems.append(f"only {len(keys)} keys found in runtime/config/: this test looks wrongly")
    print("\n".join(problems) or f"{len(keys)} keys")
    return 1 if problems else 0


sys.exit(main())
