#!/usr/bin/env bash
# `make demo`: a real PostgreSQL with data and a real sshd, the gateway before them, and seven commands that meet their
# decisions.
#
# Stays up until Ctrl-C; with DEMO_ONCE=1 it ends after the show. Every step checks what it shows: the demo fails
# rather than pretend. State is in .demo/ or $DEMO_DATA (removed at the next start), PostgreSQL in a folder under /tmp.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly data=${DEMO_DATA:-.demo}
readonly pg_bin=/usr/lib/postgresql/15/bin
sallyport=${SALLYPORT_BINARY:-.build/release/sallyport}
cluster= gateway= waiting= sshd=
# What the person has set for psql must not change the demo.
unset "${!PG@}"

cleanup() {
  trap '' INT TERM HUP
  [[ -z $waiting ]] || kill "$waiting" 2>/dev/null || true
  if [[ -n $gateway ]] && kill -TERM "$gateway" 2>/dev/null; then
    for _ in {1..100}; do kill -0 "$gateway" 2>/dev/null || break; sleep 0.1; done
    ! kill -0 "$gateway" 2>/dev/null || kill -KILL "$gateway"
    wait "$gateway" 2>/dev/null || true
  fi
  [[ -z $sshd ]] || kill "$sshd" 2>/dev/null || true
  [[ -z $cluster ]] || scripts/pg-cluster.sh stop "$cluster"
  [[ -z ${lock_is_ours:-} ]] || rm -f "$data/demo.pid"
}
trap cleanup EXIT
trap 'exit 0' INT TERM HUP

broken() {
  printf 'demo: %s\n' "$*" >&2
  [[ ! -s $data/gateway.log ]] || { echo "demo: the gateway's last words, from $data/gateway.log:" >&2; tail -n 15 "$data/gateway.log" >&2; }
  exit 1
}

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
heading() { printf '%s%s%s\n' "$bold" "$*" "$plain"; }
show() { fold -s -w 98 | sed 's/^/  /'; }

port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
free_port_from() {
  local port=$1
  while port_is_taken "$port"; do port=$((port + 1)); done
  echo "$port"
}

# --- the parts -------------------------------------------------------------------------------------------------------

start_postgres() {
  cluster=$(mktemp -d /tmp/sallyport-demo.XXXXXX)
  pg_port=$(free_port_from 55432)
  local socket
  read -r pg_port socket < <(scripts/pg-cluster.sh start "$cluster" "$pg_port" --until-exit $$ \
    --allow shop_owner:scram-sha-256 --allow shop_app:scram-sha-256) || broken "PostgreSQL did not start"
  # The gateway's configuration takes them from its environment; psql reads them from its input, not from its arguments.
  SALLYPORT_DEMO_OWNER_PASSWORD=$(openssl rand -hex 16)
  SALLYPORT_DEMO_APP_PASSWORD=$(openssl rand -hex 16)
  export SALLYPORT_DEMO_OWNER_PASSWORD SALLYPORT_DEMO_APP_PASSWORD
  postgres=("$pg_bin/psql" -X -q -At -v ON_ERROR_STOP=1 -h "$socket" -p "$pg_port" -U postgres)
  "${postgres[@]}" -d postgres -c 'CREATE DATABASE shop'
  { printf "\\set %s '%s'\n" owner_password "$SALLYPORT_DEMO_OWNER_PASSWORD" app_password "$SALLYPORT_DEMO_APP_PASSWORD"
    cat fixtures/demo/shop.sql; } | "${postgres[@]}" -d shop -f - || broken "fixtures/demo/shop.sql did not load"
}

# An sshd of the demo's own, for this account alone, with keys that end with it.
start_sshd() {
  ssh_keys=$(cd "$data" && pwd)/sshd
  mkdir -m 700 "$ssh_keys"
  local name
  for name in host account; do ssh-keygen -q -t ed25519 -N '' -C "demo $name" -f "$ssh_keys/$name"; done
  sshd_port=$(free_port_from 2022)
  # sshd asks for this folder when root starts it.
  [[ $(id -u) != 0 ]] || mkdir -p /run/sshd
  printf '%s\n' "Port $sshd_port" "ListenAddress 127.0.0.1" "HostKey $ssh_keys/host" \
    "AuthorizedKeysFile $ssh_keys/account.pub" "PidFile none" "StrictModes no" "UsePAM no" \
    "PasswordAuthentication no" >"$ssh_keys/config"
  /usr/sbin/sshd -D -e -f "$ssh_keys/config" 2>"$ssh_keys/log" &
  sshd=$!
  for _ in {1..100}; do
    ! grep -q '^Server listening' "$ssh_keys/log" || return 0
    kill -0 "$sshd" 2>/dev/null || { sshd=; cat "$ssh_keys/log" >&2; broken "sshd did not start"; }
    sleep 0.1
  done
  broken "sshd is not ready after 10 s"
}

start_gateway() {
  port=$(free_port_from 6432)
  ssh_port=$(free_port_from 2222)
  config=$data/config
  mkdir "$config"
  sed "s/127\.0\.0\.1:55432/127.0.0.1:$pg_port/; s/127\.0\.0\.1:6432/127.0.0.1:$port/
    /^    postgres: /a\\    ssh: 127.0.0.1:$ssh_port                # where ssh, scp and rsync connect" \
    fixtures/demo/sallyport.yaml >"$config/sallyport.yaml"
  sed "s|@SSH_PORT@|$sshd_port|; s|@SSH_USER@|$(id -un)|; s|@SSH_KEY@|$ssh_keys/account|
    s|@SSH_HOST_KEY@|$(ssh-keygen -lf "$ssh_keys/host.pub" | cut -d ' ' -f 2)|" fixtures/demo/ssh.yaml >"$config/ssh.yaml"
  [[ $pg_port == 55432 && $port == 6432 && $ssh_port == 2222 ]] ||
    echo "demo: ports are taken: PostgreSQL on $pg_port, the gateway on $port and, for SSH, $ssh_port, configured by $config"
  "$sallyport" serve --config "$config" --data "$data" >"$data/ready" 2>"$data/gateway.log" &
  gateway=$!
  for _ in {1..300}; do
    grep -qs '^listening postgres' "$data/ready" && return
    kill -0 "$gateway" 2>/dev/null || { gateway=; broken "the gateway did not start"; }
    sleep 0.1
  done
  broken "the gateway is not ready after 30 s"
}

# In files that only we can read, so that the lines printed at the end are short and show no secret.
token_for() { (umask 077 && "$sallyport" token create --user "$1" --name demo --data "$data" >"$data/$1.token"); }
as_ana() { PGPASSWORD=$(<"$data/ana.token") "$pg_bin/psql" -X -P pager=off "host=127.0.0.1 port=$port dbname=shop user=ana connect_timeout=10" "$@"; }

# --- the show --------------------------------------------------------------------------------------------------------

show_passing() {
  local sql="SELECT id, name, city FROM customers ORDER BY id LIMIT 3" out
  heading "1  passes               $sql"
  out=$(as_ana -t -c "$sql" 2>&1) || { printf '%s\n' "$out" >&2; broken "the first query did not pass"; }
  show <<<"$out"
  [[ $out == *"Alice Almeida"* ]] || broken "the first query's rows are not the table's"
}

show_masked() {
  local sql="SELECT name, email, ssn FROM customers ORDER BY id LIMIT 3" out value
  heading "2  columns masked       $sql"
  out=$(as_ana -t -c "$sql" 2>&1) || { printf '%s\n' "$out" >&2; broken "the second query did not pass"; }
  show <<<"$out"
  while read -r value; do
    [[ $out != *"$value"* ]] || broken "\"$value\" came through unmasked"
  done < <("${postgres[@]}" -d shop -c "SELECT unnest(ARRAY[ssn, email]) FROM customers WHERE id <= 3")
}

show_denied() {
  local sql="DELETE FROM orders" out
  heading "3  denied               $sql"
  ! out=$(as_ana -c "$sql" 2>&1) || broken "the DELETE without WHERE was let through"
  show <<<"$out"
  [[ $out == *ERROR* ]] || broken "the DELETE without WHERE did not meet an ERROR"
}

show_approved() {
  local sql="DELETE FROM orders WHERE id = 7" id="" pattern='approvals approve ([A-Za-z0-9-]+)'
  heading "4  waits for approval   $sql"
  : >"$data/held.err"
  as_ana -c "$sql" >"$data/held.out" 2>"$data/held.err" &
  waiting=$!
  for _ in {1..150}; do
    [[ $(<"$data/held.err") =~ $pattern ]] && { id=${BASH_REMATCH[1]}; break; }
    kill -0 "$waiting" 2>/dev/null || break
    sleep 0.1
  done
  show <"$data/held.err"
  [[ -n $id ]] || broken "the DELETE did not wait, or its NOTICE names no approval"
  [[ $("${postgres[@]}" -d shop -c "SELECT count(*) FROM orders WHERE id = 7") == 1 ]] || broken "it ran before it was approved"
  echo "  dora> sallyport approvals approve $id"
  SALLYPORT_TOKEN=$(<"$data/dora.token") "$sallyport" approvals approve "$id" --data "$data" 2>&1 | show
  local status=0
  for _ in {1..150}; do kill -0 "$waiting" 2>/dev/null || break; sleep 0.1; done
  ! kill -0 "$waiting" 2>/dev/null || broken "the approved DELETE does not end"
  wait "$waiting" || status=$?
  waiting=
  [[ $status == 0 && $(<"$data/held.out") == "DELETE 1" ]] || { cat "$data/held.err" >&2; broken "the approved DELETE failed"; }
  echo "  ana > DELETE 1"
}

# --- the same over SSH -----------------------------------------------------------------------------------------------

# The token is the password, and the gateway's key is known from its own file: ssh asks nothing.
prepare_ssh() {
  printf '#!/bin/sh\ncat "%s"\n' "$(cd "$data" && pwd)/ana.token" >"$data/askpass"
  chmod 700 "$data/askpass"
  echo "[127.0.0.1]:$ssh_port $(<"$data/ssh_host_ed25519_key.pub")" >"$data/known_hosts"
}

ssh_ana() {
  SSH_ASKPASS=$(cd "$data" && pwd)/askpass SSH_ASKPASS_REQUIRE=force ssh -F none -o LogLevel=ERROR -o PubkeyAuthentication=no \
    -o UserKnownHostsFile="$data/known_hosts" -p "$ssh_port" web-1@127.0.0.1 "$1" </dev/null
}

show_ssh_passing() {
  local command="echo hello from \$(uname -s)" out
  heading "5  ssh passes           $command"
  out=$(ssh_ana "$command" 2>&1) || { printf '%s\n' "$out" >&2; broken "the SSH command did not pass"; }
  show <<<"$out"
  [[ $out == "hello from $(uname -s)" ]] || broken "the SSH command's output is not the host's"
}

show_ssh_denied() {
  local command="sudo sh -c 'rm -rf /srv/shop'" out status=0
  heading "6  ssh denied           $command"
  out=$(ssh_ana "$command" 2>&1) || status=$?
  show <<<"$out"
  [[ $status == 126 && $out == *"nothing is removed by hand"* ]] || broken "rm was not refused over SSH"
}

show_ssh_approved() {
  local file command id="" pattern='approvals approve ([A-Za-z0-9-]+)'
  file=$(cd "$data" && pwd)/restart
  command="touch $file"
  heading "7  ssh waits            touch …/restart"
  : >"$data/ssh.err"
  ssh_ana "$command" >"$data/ssh.out" 2>"$data/ssh.err" &
  waiting=$!
  for _ in {1..150}; do
    [[ $(<"$data/ssh.err") =~ $pattern ]] && { id=${BASH_REMATCH[1]}; break; }
    kill -0 "$waiting" 2>/dev/null || break
    sleep 0.1
  done
  [[ -n $id && ! -e $file ]] || { cat "$data/ssh.err" >&2; broken "the SSH command did not wait"; }
  head -n 1 "$data/ssh.err" | show
  SALLYPORT_TOKEN=$(<"$data/dora.token") "$sallyport" approvals approve "$id" --data "$data" 2>&1 | show
  local status=0
  wait "$waiting" || status=$?
  waiting=
  [[ $status == 0 && -e $file ]] || { cat "$data/ssh.err" >&2; broken "the approved SSH command failed"; }
  heading "   the audit trail has  sallyport audit tail"
  "$sallyport" audit tail --data "$data" -n 4 | cut -c 1-98 | show
}

show_what_next() {
  local client=psql
  command -v psql >/dev/null || client=$pg_bin/psql
  heading "Now you, from here in a second terminal (Ctrl-C in this one ends the demo)"
  echo "  PGPASSWORD=\$(cat $data/ana.token) $client \"host=127.0.0.1 port=$port dbname=shop user=ana\""
  local binary=${sallyport#"$PWD"/}
  echo "  SALLYPORT_TOKEN=\$(cat $data/dora.token) $binary approvals list --data $data"
  echo "  SSH_ASKPASS=$data/askpass SSH_ASKPASS_REQUIRE=force ssh -p $ssh_port \\"
  echo "    -o UserKnownHostsFile=$data/known_hosts web-1@127.0.0.1 uptime"
  echo "  $binary audit tail --data $data"
  echo "Masks follow values through SQL; try to get round them: $binary mask prove --help"
}

# --- all of it -------------------------------------------------------------------------------------------------------

if [[ -f $data/demo.pid ]] && kill -0 "$(<"$data/demo.pid")" 2>/dev/null; then
  echo "demo: another demo runs here (process $(<"$data/demo.pid")); end it first" >&2
  exit 1
fi
scripts/deps.sh demo
[[ -n ${SALLYPORT_BINARY:-} ]] || scripts/build.sh
rm -rf "$data"
mkdir -m 700 "$data"
echo $$ >"$data/demo.pid"
lock_is_ours=1

echo "demo: starting PostgreSQL, sshd and the gateway"
start_postgres
start_sshd
start_gateway
token_for ana && token_for dora || broken "no tokens"
echo
show_passing
show_masked
show_denied
show_approved
prepare_ssh
show_ssh_passing
show_ssh_denied
show_ssh_approved
show_what_next

[[ -z ${DEMO_ONCE:-} ]] || exit 0
wait "$gateway" || true
gateway=
broken "the gateway has ended"
