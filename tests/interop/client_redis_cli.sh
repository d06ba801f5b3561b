#!/bin/sh
# redis-cli: publish, a consumer group, a blocking consumer, commands from a pipe. Prints what it published.
set -eu
export REDISCLI_AUTH="${TOCSIN_REDIS_PASSWORD:-}"
[ -n "$REDISCLI_AUTH" ] || unset REDISCLI_AUTH
cli() { redis-cli -p "$TOCSIN_REDIS_PORT" "-${TOCSIN_REDIS_PROTOCOL:-2}" "$@"; }
fail() {
  echo "not so: $1" >&2
  exit 1
}

[ "$(cli PING)" = PONG ] || fail "PING answers PONG"
[ "$(cli XGROUP CREATE notifications_stream cli '$' MKSTREAM)" = OK ] || fail "the group is made"
id=$(cli XADD notifications_stream '*' user_id "$TOCSIN_TEST_USER" message "from redis-cli")
cli XREADGROUP GROUP cli worker-1 STREAMS notifications_stream '>' | grep -q "$id" || fail "the entry is read"
[ "$(cli XACK notifications_stream cli "$id")" = 1 ] || fail "it is acknowledged"

waited=$(mktemp)
trap 'rm -f "$waited"' EXIT
cli XREADGROUP GROUP cli worker-2 BLOCK 0 STREAMS notifications_stream '>' >"$waited" &
until cli INFO clients | grep -q 'blocked_clients:1'; do :; done
later=$(cli XADD notifications_stream '*' user_id "$TOCSIN_TEST_USER" message waited)
wait $!
grep -q "$later" "$waited" || fail "the consumer that waited got it"

i=0
while [ $i -lt 1000 ]; do
  echo "XADD work * i $i"
  i=$((i + 1))
done | cli --pipe | grep -q 'errors: 0, replies: 1000' || fail "a thousand from a pipe"
[ "$(cli XLEN work)" = 1000 ] || fail "a thousand entries"
echo "$id $later"
