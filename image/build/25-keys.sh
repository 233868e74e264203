#!/usr/bin/env bash
# Where the builder gives no keys, a set for development is made once and kept in the cache.
. "$(dirname "$0")/lib.sh"

files=(bundle.ca.pem bundle.cert.pem bundle.key.pem image.key.pem)
missing=()
for file in "${files[@]}"; do [ -s "$KEYS/$file" ] || missing+=("$file"); done
if [ ${#missing[@]} = 0 ]; then
    [ -s "$KEYS/kind" ] || echo release > "$KEYS/kind"
    say "keys: $(cat "$KEYS/kind"), $KEYS"
    exit 0
fi
[ "$KEYS" = "$CACHE/image/keys" ] || fail "$KEYS lacks ${missing[*]}; image/README.md says how to make them"

cd "$KEYS"
umask 077
echo development > kind
openssl genpkey -quiet -algorithm ed25519 -out image.key.pem
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ca.key.pem
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out bundle.key.pem
# Valid from 1970: a board whose clock is wrong must still take an update.
openssl req -x509 -new -key ca.key.pem -subj "/CN=smart_mining development CA" -not_before 19700101000000Z -not_after 20991231235959Z \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign -out bundle.ca.pem
openssl req -new -key bundle.key.pem -subj "/CN=smart_mining development release" -out bundle.csr
openssl x509 -req -in bundle.csr -CA bundle.ca.pem -CAkey ca.key.pem -set_serial 1 -not_before 19700101000000Z -not_after 20991231235959Z \
    -extfile <(printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n') -out bundle.cert.pem 2>/dev/null
rm bundle.csr
say "keys: made a set for development in $KEYS"
