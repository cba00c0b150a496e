/*
 * Prints the layout of ABI 1 as this compiler sees it, a row a line, for comparison with
 * layout-v1.golden. Fails where layout_v1.h leaves out a member: fields must lie end to end.
 */
#include <stdio.h>
#include <string.h>
#include <trigger/plugin.h>

#include "layout_v1.h"

typedef struct {
  const char* type;
  const char* field;
  size_t offset;
  size_t size;
} field_row;

#define FIELD_ROW(type, field, offset, size) \
  {#type, #field, offsetof(type, field), sizeof(((type*)0)->field)},
static const field_row fields[] = {LAYOUT_FIELDS(FIELD_ROW)};

/* Whether the rows of `type` cover it without a gap. */
static int covered(const char* type, size_t size) {
  size_t end = 0;
  size_t i = 0;
  for (; i < sizeof(fields) / sizeof(fields[0]); ++i) {
    if (strcmp(fields[i].type, type) != 0) continue;
    if (fields[i].offset != end) {
      fprintf(stderr, "%s: between byte %lu and %s lies a member without a row, or padding\n", type,
              (unsigned long)end, fields[i].field);
      return 0;
    }
    end += fields[i].size;
  }
  if (end != size) {
    fprintf(stderr, "%s: the rows end at byte %lu, the struct at %lu\n", type, (unsigned long)end,
            (unsigned long)size);
    return 0;
  }
  return 1;
}

#define CHECK_COVERED(type, size) ok = covered(#type, sizeof(type)) && ok;
#define PRINT_FROZEN(type, size) printf("size %s %lu\n", #type, (unsigned long)sizeof(type));
#define PRINT_GROWING(type, minor, last, size) \
  printf("size-1.%d %s %lu\n", minor, #type,   \
         (unsigned long)(offsetof(type, last) + sizeof(((type*)0)->last)));
#define PRINT_CONSTANT(name, value) printf("constant %s %ld\n", #name, (long)(name));

int main(void) {
  int ok = 1;
  size_t i = 0;
  LAYOUT_NOW(CHECK_COVERED)
  LAYOUT_FROZEN(PRINT_FROZEN)
  LAYOUT_GROWING(PRINT_GROWING)
  for (; i < sizeof(fields) / sizeof(fields[0]); ++i) {
    printf("field %s.%s %lu %lu\n", fields[i].type, fields[i].field,
           (unsigned long)fields[i].offset, (unsigned long)fields[i].size);
  }
  LAYOUT_CONSTANTS(PRINT_CONSTANT)
  printf("text TRIGGER_ENTRY_NAME %s\n", TRIGGER_ENTRY_NAME);
  return ok ? 0 : 1;
}
