// A plain pass of Vectorscan with the full set of patterns, a row at a time: which pattern ends where, and no more. No
// check digits, no beginnings, no words around.
#include <hs/hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { most = 200 };

static int count(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *found) {
  (void)id, (void)from, (void)to, (void)flags;
  (*(long *)found)++;
  return 0;
}

static double cpu(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  char *patterns[most], line[1024];
  unsigned ids[most], flags[most], patternCount = 0;
  FILE *file = argc > 2 ? fopen(argv[1], "r") : NULL;
  if (!file) return fprintf(stderr, "usage: vectorscan PATTERNS FILE...\n"), 2;
  while (patternCount < most && fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    if (!*line) continue;
    patterns[patternCount] = strdup(line);
    ids[patternCount] = patternCount, flags[patternCount] = 0, patternCount++;
  }
  fclose(file);
  hs_database_t *database;
  hs_compile_error_t *mistake;
  if (hs_compile_multi((const char *const *)patterns, flags, ids, patternCount, HS_MODE_BLOCK, NULL, &database, &mistake))
    return fprintf(stderr, "%s\n", mistake->message), 1;
  hs_scratch_t *scratch = NULL;
  if (hs_alloc_scratch(database, &scratch)) return 1;
  for (int argument = 2; argument < argc; argument++) {
    if (!(file = fopen(argv[argument], "r"))) return 1;
    fseek(file, 0, SEEK_END);
    const long size = ftell(file);
    rewind(file);
    char *text = malloc(size);
    if (!text || fread(text, 1, size, file) != (size_t)size) return 1;
    fclose(file);
    long found = 0;
    const double start = cpu();
    for (const char *place = text, *end = text + size; place < end;) {
      const char *newline = memchr(place, '\n', end - place);
      const long length = (newline ? newline : end) - place;
      hs_scan(database, place, length, 0, scratch, count, &found);
      place += length + 1;
    }
    printf("{\"bytes\": %ld, \"seconds\": %f, \"found\": %ld}\n", size, cpu() - start, found);
    free(text);
  }
}
