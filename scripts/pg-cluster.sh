#!/usr/bin/env bash
# Starts and stops a throw-away PostgreSQL, independent of whatever cluster the system has.
#
#   scripts/pg-cluster.sh start DIR PORT [OPTION ...]
#     --user NAME:METHOD[:tls|:plain]  a login with its line in pg_hba.conf; METHOD is scram-sha-256, md5, password
#                                      or trust; tls (or plain) lets it in only with (or without) TLS.
#                                      Its password is in DIR/passwords/NAME.
#     --allow NAME:METHOD[:tls|:plain] the line only, for a login that the caller creates
#     --replication NAME:METHOD        a line of pg_hba.conf for sessions of replication of a login
#     --set NAME=VALUE                 a line of postgresql.conf
#     --until-exit PID                 a watcher stops the cluster when that process ends, however it ends
#   scripts/pg-cluster.sh stop DIR     stops it and removes DIR
#
# DIR must not exist, or be empty, and be where the user postgres can reach it: use mktemp -d. PORT 0 takes a free one.
# `start` prints one line, "PORT SOCKET_DIR", when PostgreSQL takes connections. The superuser is postgres, let in
# without a password by the Unix socket only, whose folder nobody else can enter. DIR/tls/ca.pem signs its certificate
# (localhost, 127.0.0.1, ::1). Nothing is synced to disk: do not keep data here.
set -euo pipefail

readonly bin=${SALLYPORT_TEST_PG_BIN:-/usr/lib/postgresql/15/bin}
fail() { printf 'pg-cluster: %s\n' "$*" >&2; exit 1; }

# PostgreSQL refuses to run as root.
as_postgres() {
  if [[ $(id -u) == 0 ]]; then (cd / && exec runuser -u postgres -- "$@"); else "$@"; fi
}

port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Below 32768 the kernel does not hand ports out to outgoing connections.
free_port() {
  local port
  for _ in {1..50}; do
    port=$((20000 + RANDOM % 12000))
    port_is_taken "$port" || { echo "$port"; return; }
  done
  return 1
}

make_certificates() {
  local tls=$1
  mkdir "$tls"
  (
    cd "$tls"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj '/CN=throw-away CA' \
      -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' \
      -keyout ca.key -out ca.pem
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=localhost' -keyout server.key -out server.csr
    printf '%s\n' 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1' 'basicConstraints=CA:FALSE' \
      'extendedKeyUsage=serverAuth' >extensions
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile extensions -out server.pem
    chmod 600 ./*.key
    rm server.csr extensions
  ) 2>"$tls.log" || { cat "$tls.log" >&2; fail "openssl could not make the certificates"; }
  rm "$tls.log"
}

write_settings() {
  cat <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$dir/socket'
max_connections = 200
shared_buffers = 64MB
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum_naptime = 1h
ssl = on
ssl_cert_file = '$dir/tls/server.pem'
ssl_key_file = '$dir/tls/server.key'
timezone = 'UTC'
log_timezone = 'UTC'
datestyle = 'ISO, MDY'
lc_messages = 'C'
CONF
  local setting
  for setting in ${settings[@]+"${settings[@]}"}; do printf "%s = '%s'\n" "${setting%%=*}" "${setting#*=}"; done
}

# First match wins, so the last line refuses whoever is not named.
write_host_rules() {
  echo 'local all postgres trust'
  local user name method transport
  for user in ${users[@]+"${users[@]}"} ${allowed[@]+"${allowed[@]}"}; do
    IFS=: read -r name method transport <<<"$user"
    case ${transport:-any} in
      tls) transport=hostssl ;;
      plain) transport=hostnossl ;;
      any) transport=host ;;
      *) fail "--user $user: the third word is tls or plain" ;;
    esac
    echo "$transport all $name 127.0.0.1/32 $method"
  done
  for user in ${replicas[@]+"${replicas[@]}"}; do echo "host replication ${user%%:*} 127.0.0.1/32 ${user#*:}"; done
  echo 'host all all all reject'
}

# md5 wants the password stored its own way; the others take the verifier of SCRAM.
user_statements() {
  local user name method stored
  for user in ${users[@]+"${users[@]}"}; do
    IFS=: read -r name method _ <<<"$user"
    case $method in
      scram-sha-256 | password | trust) stored=scram-sha-256 ;;
      md5) stored=md5 ;;
      *) fail "--user $user: the method is scram-sha-256, md5, password or trust" ;;
    esac
    [[ $name =~ ^[a-z_][a-z0-9_]*$ ]] || fail "--user $user: a name is of a-z, 0-9 and _"
    (umask 077 && openssl rand -hex 16 >"$dir/passwords/$name")
    printf "SET password_encryption = '%s';\nCREATE ROLE %s LOGIN PASSWORD '%s';\n" "$stored" "$name" "$(<"$dir/passwords/$name")"
  done
}

start() {
  [[ -x $bin/initdb ]] || fail "no $bin/initdb; scripts/deps.sh demo installs it"
  [[ ! -e $dir || -z $(ls -A "$dir") ]] || fail "$dir is not empty"
  mkdir -p "$dir"
  touch "$dir/throw-away-cluster"
  mkdir -m 700 "$dir/passwords" "$dir/data" "$dir/socket"
  user_statements >"$dir/users.sql"
  make_certificates "$dir/tls"
  if [[ $(id -u) == 0 ]]; then
    chown -R postgres: "$dir"
    as_postgres test -x "$dir" || fail "the user postgres cannot reach $dir; take a folder under /tmp"
  fi
  as_postgres "$bin/initdb" -D "$dir/data" -U postgres -E UTF8 --locale=C.UTF-8 --auth=trust --no-sync \
    >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2; fail "initdb failed"; }
  write_settings >>"$dir/data/postgresql.conf"
  write_host_rules >"$dir/data/pg_hba.conf"

  local asked=$port
  for _ in 1 2 3; do
    [[ $asked != 0 ]] || port=$(free_port)
    as_postgres "$bin/pg_ctl" start -s -w -t 60 -D "$dir/data" -l "$dir/log" -o "-p $port" 2>/dev/null && break
    [[ $asked == 0 ]] || { tail -n 5 "$dir/log" >&2; fail "PostgreSQL did not start on port $port"; }
    port=
  done
  [[ -n $port ]] || { tail -n 5 "$dir/log" >&2; fail "PostgreSQL did not start"; }
  as_postgres "$bin/psql" -X -q -v ON_ERROR_STOP=1 -h "$dir/socket" -p "$port" -U postgres -d postgres -f "$dir/users.sql" >&2
  rm -f "$dir/users.sql"
  [[ -z $watched ]] || watch_over "$watched"
  echo "$port $dir/socket"
}

# Detached from our streams, so that whoever reads `start`'s output sees its end.
watch_over() {
  setsid "$BASH" -c 'while kill -0 "$1" 2>/dev/null && [[ -e $3 ]]; do sleep 1; done; [[ ! -e $3 ]] || exec "$2" stop "$3"' \
    watcher "$1" "$(readlink -f "${BASH_SOURCE[0]}")" "$dir" </dev/null >/dev/null 2>&1 &
}

# By the process id in the cluster's own file: SIGINT ends sessions and shuts down, SIGQUIT does not ask.
stop() {
  [[ -e $dir ]] || return 0
  [[ -e $dir/throw-away-cluster ]] || fail "$dir is no cluster of mine"
  local pid
  if pid=$(head -n 1 "$dir/data/postmaster.pid" 2>/dev/null) && [[ $pid =~ ^[0-9]+$ ]]; then
    kill -INT "$pid" 2>/dev/null || true
    for _ in {1..100}; do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    ! kill -0 "$pid" 2>/dev/null || kill -QUIT "$pid"
  fi
  rm -rf "$dir"
}

[[ $# -ge 2 ]] || fail "usage: pg-cluster.sh start DIR PORT [OPTION ...] | stop DIR"
verb=$1 dir=$2
[[ $dir == /* ]] || dir=$PWD/$dir
shift 2
case $verb in
  start)
    port=${1:?PORT}
    shift
    users=() allowed=() replicas=() settings=() watched=
    while (($#)); do
      case $1 in
        --user) users+=("${2:?NAME:METHOD}") ;;
        --allow) allowed+=("${2:?NAME:METHOD}") ;;
        --replication) replicas+=("${2:?NAME:METHOD}") ;;
        --set) settings+=("${2:?NAME=VALUE}") ;;
        --until-exit) watched=${2:?PID} ;;
        *) fail "unknown option \"$1\"" ;;
      esac
      shift 2
    done
    start
    ;;
  stop) stop ;;
  *) fail "unknown verb \"$verb\"; there are start and stop" ;;
esac
