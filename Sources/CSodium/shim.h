// Of libsodium what its higher-level relatives in Swift lack: BLAKE2b.
#include <sodium/core.h>
#include <sodium/crypto_generichash_blake2b.h>
