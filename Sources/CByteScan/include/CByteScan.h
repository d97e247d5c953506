// The next byte of a text that may begin something. In C because Swift has no way to the one instruction that this is
// about: the mask of the bytes that compared equal (its SIMD types make a loop over bytes of it).
#ifndef SALLYPORT_BYTE_SCAN_H
#define SALLYPORT_BYTE_SCAN_H

#include <stddef.h>
#include <stdint.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/// The index of the first byte from `index` on whose class in `table` has a bit of `wanted`; `count` when there is none.
///
/// Bytes outside '-', '0' to '@', 'I', 'J', '_' and '~' must have none of these bits: 16 at once are passed over by that.
static inline size_t byte_scan_next(
    const uint8_t *bytes, size_t index, size_t count, const uint8_t *table, uint8_t wanted) {
#if defined(__SSE2__)
  const __m128i dash = _mm_set1_epi8('-'), line = _mm_set1_epi8('_'), tilde = _mm_set1_epi8('~');
  const __m128i zero = _mm_set1_epi8('0'), span = _mm_set1_epi8('@' - '0');
  const __m128i capital = _mm_set1_epi8('I'), one = _mm_set1_epi8(1);
  for (; index + 16 <= count; index += 16) {
    const __m128i text = _mm_loadu_si128((const __m128i *)(bytes + index));
    const __m128i low = _mm_sub_epi8(text, zero), high = _mm_sub_epi8(text, capital);
    __m128i hits = _mm_or_si128(
        _mm_cmpeq_epi8(_mm_min_epu8(low, span), low), _mm_cmpeq_epi8(_mm_min_epu8(high, one), high));
    hits = _mm_or_si128(hits, _mm_cmpeq_epi8(text, dash));
    hits = _mm_or_si128(hits, _mm_or_si128(_mm_cmpeq_epi8(text, line), _mm_cmpeq_epi8(text, tilde)));
    for (unsigned mask = (unsigned)_mm_movemask_epi8(hits); mask; mask &= mask - 1) {
      const size_t place = index + (size_t)__builtin_ctz(mask);
      if (table[bytes[place]] & wanted) return place;
    }
  }
#endif
  for (; index < count; index++)
    if (table[bytes[index]] & wanted) return index;
  return count;
}

#endif
