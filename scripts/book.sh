#!/usr/bin/env bash
# Makes a book of the documents, in target/book/html. Installs mdBook into target/tools at first (a few minutes).
set -euo pipefail
cd "$(dirname "$0")/.."

mdbook=0.5.4
mermaid=11.12.0

if [[ $(target/tools/bin/mdbook --version 2>/dev/null) != "mdbook v$mdbook" ]]; then
    echo "installing: mdBook $mdbook into target/tools"
    CARGO_TARGET_DIR=target/tools/build cargo install mdbook --version "$mdbook" --locked --quiet --force \
        --no-default-features --features search --root target/tools
    rm -rf target/tools/build
fi

# The documents name each other, and files beside them, by relative addresses: the book keeps all of them where they are.
book=target/book
rm -rf "$book"
mkdir -p "$book/src"
cp docs/book.toml docs/mermaid-start.js "$book"
git ls-files -z -- '*.md' docs deploy settings.toml LICENSE* ':!:docs/book.toml' ':!:docs/mermaid-start.js' |
    xargs -0 cp --parents -t "$book/src"
sed -e 's|](\.\./|](|' -e t -e 's|](\([a-z-]*\.md\))|](docs/\1)|' docs/SUMMARY.md >"$book/src/SUMMARY.md"
rm "$book/src/docs/SUMMARY.md"

npm pack --silent --pack-destination "$book" "mermaid@$mermaid" >/dev/null
tar -xzf "$book/mermaid-$mermaid.tgz" -C "$book" --strip-components=2 package/dist/mermaid.min.js
rm "$book/mermaid-$mermaid.tgz"

target/tools/bin/mdbook build "$book"
echo "the book is at $book/html/index.html"
