#!/usr/bin/env bash
# Makes the CDK's Go modules available to infra/, and prints the environment to build it with (see ../README.md):
# nothing to do where the Go module proxy serves the official modules, else the same import paths are generated from the
# npm packages, which takes about two minutes and 2 GB of memory. They are kept beside Go's build cache, for every checkout
# of these versions. CDK_BINDINGS=generated does so in any case.
set -euo pipefail

infra=$(cd "$(dirname "$0")/.." && pwd)
top=$(dirname "$infra")
cache=$(dirname "$(go env GOCACHE)")/alb-oidc-rotator/cdk-go

# The jsii kernel. Its package cannot be installed where its dependency @jsii/kernel is not served; the tarball needs none.
kernel=@jsii/runtime@1.140.0
kernel_sha512=AG5KdT3O6Ng1nbeOKmOX9M8WSzdDV0IiAqwNgyEY2eGga8tAaL+6w9T4NOYAy98MULilCnG05c71PuUfZExpmQ==

# One at a time: pacmak fails on their mutual dependencies when it is given all.
packages=(constructs @aws-cdk/asset-awscli-v1 @aws-cdk/asset-node-proxy-agent-v6 @aws-cdk/cloud-assembly-schema aws-cdk-lib)

# official: the proxy serves every module of the CDK that infra/go.mod names. They are downloaded, which a build needs
# anyway: a proxy may know a version and not have it. Asked from outside of any module: inside, go takes a version that
# go.mod names as known.
official() {
  local modules
  mapfile -t modules < <(awk '$1 ~ /^github.com\/(cdklabs|aws\/(aws-cdk-go|constructs-go|jsii-runtime-go))/ { print $1 "@" $2 }' "$infra/go.mod")
  (cd / && GOWORK=off GOPROXY=${1:-$(go env GOPROXY)} go mod download "${modules[@]}") > /dev/null 2>&1
}

generate() {
  local out=$1 package
  mkdir -p "$out"
  for package in "${packages[@]}"; do
    echo "generating Go from $package" >&2
    (cd "$infra" && npx --no-install jsii-pacmak --targets go --code-only \
      --outdir "$out" "node_modules/$package") > "$out/log" 2>&1 || { cat "$out/log" >&2; return 1; }
  done
}

fetch_kernel() {
  local out=$1 tarball
  mkdir -p "$out"
  tarball=$out/$(npm pack "$kernel" --ignore-scripts --silent --pack-destination "$out" 2> /dev/null)
  [ "$(openssl dgst -sha512 -binary "$tarball" | base64 -w0)" = "$kernel_sha512" ] || { echo "$kernel: wrong checksum" >&2; return 1; }
  tar -xzf "$tarball" -C "$out" --strip-components=1 package/webpack
}

# workspace: what a go.work would say if the generated modules were part of this repository. Only what infra needs is in
# it: every other module keeps the versions of its own go.mod.
workspace() {
  local generated=$1
  printf 'go %s\n\nuse (\n' "$(awk '$1 == "go" { print $2 }' "$infra/go.mod")"
  printf '\t%s\n' "$top"/{infra,infra/jsii,shared,statemachine} "$generated"/go/*
  printf ')\n'
}

versions=$(cd "$infra" && node -p "const p = require('./package.json').devDependencies; [...process.argv.slice(1), 'jsii-pacmak'].map(n => n + '@' + p[n]).join(' ')" "${packages[@]}")
hash=$(echo "$versions $kernel" | sha256sum | cut -c1-12)
ready=$cache/$hash
if [ "${CDK_BINDINGS:-}" != generated ]; then
  # What was downloaded or generated before is taken without asking the proxy again.
  if official off || { [ ! -e "$ready" ] && official; }; then
    echo "export GOWORK=off"
    exit 0
  fi
fi
if [ ! -e "$ready" ]; then
  mkdir -p "$cache"
  find "$cache" -mindepth 1 -maxdepth 1 -mtime +30 -exec rm -rf {} + # of earlier versions
  new=$(mktemp -d "$cache/new.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  generate "$new"
  fetch_kernel "$new/kernel"
  [ -e "$ready" ] || mv "$new" "$ready" # another checkout may have been faster
fi
work=$top/.build/cdk-go/$hash/go.work
wanted=$(workspace "$ready") # another one if the build cache has moved
if [ "$(cat "$work" 2> /dev/null)" != "$wanted" ]; then
  mkdir -p "$(dirname "$work")"
  echo "$wanted" > "$work"
fi
# Without the checkout's path in it, what is compiled serves every checkout, too.
echo "export GOWORK='$work' GOFLAGS='$(go env GOFLAGS) -trimpath' JSII_RUNTIME='$ready/kernel/webpack/bin/jsii-runtime.js'"
