#!/usr/bin/env bash
# Installs what building, the demo, the tests or the benchmarks need from Debian, and only what is missing.
#
#   scripts/deps.sh build|demo|test|bench|detect|all ...
#
# Silent when all is there. Works as root or with sudo. Leaves no service running and creates no PostgreSQL cluster.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly venv=.deps/venv
readonly requirements=Tests/clients/requirements.txt

build_packages=(libpg-query-dev libssh-dev libpcre2-dev libsodium-dev libsqlite3-dev pkg-config git ca-certificates)
demo_packages=(postgresql-15 postgresql-client-15 openssl openssh-client openssh-server)
test_packages=(haproxy systemd faketime)
bench_packages=(pgbouncer haproxy python3)
detect_packages=(libvectorscan-dev python3)
scratch=

say() { printf 'deps: %s\n' "$*"; }
fail() { printf 'deps: %s\n' "$*" >&2; exit 1; }

is_installed() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

as_root() { if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi; }

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 \
    -o Dpkg::Use-Pty=0 -o APT::Sandbox::User=root "$@" >>"$scratch/apt.log" 2>&1
}

# The package lists can be absent (a fresh image) or older than the mirror: one failed try is answered by an update.
apt_install() {
  apt_get install --no-install-recommends "$@" && return
  say "the package lists may be old: apt-get update, then once more"
  apt_get update || true
  apt_get install --no-install-recommends "$@" && return
  tail -n 15 "$scratch/apt.log" >&2
  fail "apt-get could not install: $*"
}

# pgbouncer's package starts a service on port 6432, which is the gateway's; haproxy's and PostgreSQL's start theirs.
# policy-rc.d is Debian's switch against that. One that is already there is somebody's decision, and stays.
readonly rc_policy=/usr/sbin/policy-rc.d
forbid_services() {
  [[ -e $rc_policy ]] && return
  printf '#!/bin/sh\nexit 101\n' >"$scratch/policy-rc.d"
  as_root install -m 755 "$scratch/policy-rc.d" "$rc_policy"
  rc_policy_is_ours=1
}

keep_services_down() {
  command -v systemctl >/dev/null && [[ -d /run/systemd/system ]] || return 0
  local package
  for package in "$@"; do
    case $package in
      pgbouncer | haproxy) as_root systemctl disable --quiet "$package" >>"$scratch/apt.log" 2>&1 || true ;;
      openssh-server) as_root systemctl disable --quiet ssh >>"$scratch/apt.log" 2>&1 || true ;;
    esac
  done
}

# postgresql-15 would create and start a cluster "main" on port 5432. Its configuration file says not to, while we
# install, and is put back afterwards.
readonly create_cluster=/etc/postgresql-common/createcluster.conf
forbid_main_cluster() {
  is_installed postgresql-common || apt_install postgresql-common
  [[ -f $create_cluster ]] || return 0
  cp "$create_cluster" "$scratch/createcluster.conf"
  { grep -v '^[[:space:]]*create_main_cluster' "$create_cluster" || true; echo 'create_main_cluster = false'; } \
    >"$scratch/createcluster.new"
  as_root install -m 644 "$scratch/createcluster.new" "$create_cluster"
}

restore() {
  [[ -n $scratch ]] || return 0
  [[ -f $scratch/createcluster.conf ]] && as_root install -m 644 "$scratch/createcluster.conf" "$create_cluster"
  [[ -n ${rc_policy_is_ours:-} ]] && as_root rm -f "$rc_policy"
  rm -rf "$scratch"
}
trap restore EXIT

need_packages() {
  missing=()
  local package
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    say "not a Debian system; what is needed here, by its Debian names: $*"
    return
  fi
  for package in "$@"; do is_installed "$package" || missing+=("$package"); done
  [[ ${#missing[@]} == 0 ]] && return
  [[ $(id -u) == 0 ]] || command -v sudo >/dev/null ||
    fail "not root, and no sudo here; run as root: apt-get install ${missing[*]}"
  say "installing ${missing[*]}"
  [[ -n $scratch ]] || scratch=$(mktemp -d)
  forbid_services
  case " ${missing[*]} " in *" postgresql-15 "*) forbid_main_cluster ;; esac
  apt_install "${missing[@]}"
  keep_services_down "${missing[@]}"
}

# A Python that can make virtual environments: the caller's choice, Debian's, or the first in PATH (pyenv's, say).
python_with_venv() {
  local python
  for python in "${SALLYPORT_PYTHON:-}" /usr/bin/python3 python3; do
    [[ -n $python ]] && "$python" -c 'import sys, ensurepip, venv; assert sys.version_info >= (3, 9)' 2>/dev/null || continue
    command -v "$python"
    return
  done
  return 1
}

# The venv is complete when it was made from this very list of requirements.
need_venv() {
  local folder=${1:-$venv} list=${2:-$requirements}
  [[ -x $folder/bin/python ]] && cmp -s "$list" "$folder/requirements.txt" && return
  local python
  python=$(python_with_venv) || { need_packages python3 python3-venv; python=$(python_with_venv); } ||
    fail "no Python 3.9 or later that can make a virtual environment"
  say "$folder from $("$python" --version): $(grep -v '^#' "$list" | tr '\n' ' ')"
  rm -rf "$folder"
  mkdir -p "${folder%/*}"
  "$python" -m venv "$folder"
  local try
  for try in 1 2; do
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: -r "$list" && break
    [[ $try == 1 ]] || fail "pip could not install $list"
    say "pip failed: once more"
  done
  cp "$list" "$folder/requirements.txt"
}

[[ $# -gt 0 ]] || fail "usage: scripts/deps.sh build|demo|test|bench|detect|all"
for group in "$@"; do
  case $group in
    build) need_packages "${build_packages[@]}" ;;
    demo) need_packages "${build_packages[@]}" "${demo_packages[@]}" ;;
    test) need_packages "${build_packages[@]}" "${demo_packages[@]}" "${test_packages[@]}" && need_venv ;;
    bench) need_packages "${build_packages[@]}" "${demo_packages[@]}" "${bench_packages[@]}" ;;
    # What detectors are compared with; Presidio brings some 300 MB along, so that only the benchmarks have it.
    detect)
      need_packages "${build_packages[@]}" "${detect_packages[@]}" &&
        need_venv .deps/presidio Benchmarks/detect/requirements.txt
      ;;
    all)
      need_packages "${build_packages[@]}" "${demo_packages[@]}" "${test_packages[@]}" "${bench_packages[@]}" \
        "${detect_packages[@]}" && need_venv && need_venv .deps/presidio Benchmarks/detect/requirements.txt
      ;;
    *) fail "unknown group \"$group\"; there are build, demo, test, bench, detect and all" ;;
  esac
done
