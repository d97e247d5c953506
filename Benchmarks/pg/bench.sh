#!/usr/bin/env bash
# `make bench`: PostgreSQL directly and through PgBouncer, HAProxy and Sallyport, side by side on loopback.
#
#   Benchmarks/pg/bench.sh [--without-sallyport]     without: prints, and leaves BENCHMARKS.md alone
#   BENCH_ROUNDS=5 BENCH_SECONDS=4                   more or longer rounds
#   BENCH_ONLY='prepared|start'                      only the scenarios that this fits; prints, as above. There are
#                                                    simple-1 simple-16 extended-1 extended-16 prepared-1 prepared-16
#                                                    bulk masked idle-plaintext idle-tls sessions-5000 start
#
# Starts everything on free ports, and ends it: PostgreSQL and the other proxies here, the gateways in bench.py, which
# measures and writes the section into BENCHMARKS.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly pg_bin=/usr/lib/postgresql/15/bin
sallyport=.build/release/sallyport
work= children=()
unset "${!PG@}"
fail() { printf 'bench: %s\n' "$*" >&2; exit 1; }

with_sallyport=1
case ${1:-} in
  '') [[ -x $sallyport ]] || fail "no $sallyport: make build" ;;
  --without-sallyport) with_sallyport= ;;
  *) fail "unknown option \"$1\"" ;;
esac

cleanup() {
  trap '' INT TERM
  local child
  for child in ${children[@]+"${children[@]}"}; do kill -TERM "$child" 2>/dev/null || true; done
  for child in ${children[@]+"${children[@]}"}; do
    for _ in {1..200}; do kill -0 "$child" 2>/dev/null || break; sleep 0.1; done
    ! kill -0 "$child" 2>/dev/null || kill -KILL "$child"
  done
  [[ -z $work ]] || { scripts/pg-cluster.sh stop "$work/cluster"; rm -rf "$work"; }
}
trap cleanup EXIT
trap 'exit 130' INT TERM

port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
free_port() {
  local port
  while port=$((20000 + RANDOM % 12000)); do port_is_taken "$port" || { echo "$port"; return; }; done
}
# Until the port answers or the process is gone.
await() {
  local name=$1 pid=$2 port=$3
  for _ in {1..300}; do
    kill -0 "$pid" 2>/dev/null || break
    port_is_taken "$port" && return
    sleep 0.1
  done
  tail -n 20 "$work/$name.log" >&2
  fail "$name did not start"
}
# PgBouncer does not run as root; HAProxy need not. setpriv replaces itself, so that $! is the proxy's own process id.
unprivileged() {
  if [[ $(id -u) == 0 ]]; then exec setpriv --reuid postgres --regid postgres --init-groups "$@"; else exec "$@"; fi
}
target() { printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$@" >>"$work/targets.tsv"; }

work=$(mktemp -d /tmp/sallyport-bench.XXXXXX)
chmod 711 "$work"
(umask 077 && : >"$work/targets.tsv")

read -r backend socket < <(scripts/pg-cluster.sh start "$work/cluster" 0 --until-exit $$ --user bench_app:scram-sha-256 \
  --user bench_standin:trust --set shared_buffers=256MB --set max_connections=1100) || fail "PostgreSQL did not start"
password=$(<"$work/cluster/passwords/bench_app")
postgres=("$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 -h "$socket" -p "$backend" -U postgres)
"${postgres[@]}" -d postgres -c 'CREATE DATABASE bench'
"${postgres[@]}" -d bench -f Benchmarks/pg/tables.sql
target direct - "$backend" bench_app bench "$password"

# One connection to the backend for each of the client's, kept until it leaves: as Sallyport does.
port=$(free_port)
mkdir "$work/pgbouncer"
# PostgreSQL's own verifier, so that PgBouncer passes SCRAM's keys on and need not derive them for each connection.
"${postgres[@]}" -d bench -At -c "SELECT format('\"%s\" \"%s\"', rolname, rolpassword) FROM pg_authid WHERE rolname = 'bench_app'" \
  >"$work/pgbouncer/users"
cat >"$work/pgbouncer/pgbouncer.ini" <<CONF
[databases]
bench = host=127.0.0.1 port=$backend dbname=bench
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $work/pgbouncer/users
pool_mode = session
default_pool_size = 50
server_tls_sslmode = disable
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
CONF
chmod 600 "$work/pgbouncer/users"
[[ $(id -u) != 0 ]] || chown -R postgres: "$work/pgbouncer"
unprivileged /usr/sbin/pgbouncer "$work/pgbouncer/pgbouncer.ini" >"$work/pgbouncer.log" 2>&1 &
children+=($!)
await pgbouncer $! "$port"
target PgBouncer $! "$port" bench_app bench "$password"

port=$(free_port)
cat >"$work/haproxy.cfg" <<CONF
global
  nbthread 1
  maxconn 200
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen postgres
  bind 127.0.0.1:$port
  server backend 127.0.0.1:$backend
CONF
chmod 644 "$work/haproxy.cfg"
unprivileged /usr/sbin/haproxy -db -f "$work/haproxy.cfg" >"$work/haproxy.log" 2>&1 &
children+=($!)
await haproxy $! "$port"
target HAProxy $! "$port" bench_app bench "$password"

# In the background, so that a signal to this script ends the gateways too: bench.py stops them.
python=$(command -v /usr/bin/python3 python3 | head -n 1)
"$python" -B Benchmarks/pg/bench.py --targets "$work/targets.tsv" --scratch "$work" --pg-bin "$pg_bin" \
  --rounds "${BENCH_ROUNDS:-5}" --seconds "${BENCH_SECONDS:-3}" --only "${BENCH_ONLY:-}" \
  ${with_sallyport:+--sallyport "$sallyport" --into BENCHMARKS.md} &
children+=($!)
wait $!
