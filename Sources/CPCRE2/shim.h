// PCRE2 for texts of bytes: the patterns that users write.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
