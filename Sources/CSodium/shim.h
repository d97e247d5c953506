// Of libsodium what its higher-level relatives in Swift lack: BLAKE2b, and HMAC without an allocation.
#include <sodium/core.h>
#include <sodium/crypto_auth_hmacsha256.h>
#include <sodium/crypto_generichash_blake2b.h>
