/* The compiler must agree with layout_v1.h, as C99, C11, C++17 and C++20. */
#ifndef LAYOUT_ASSERTS_H
#define LAYOUT_ASSERTS_H

#include <trigger/plugin.h>

#include "layout_v1.h"

#if defined(__cplusplus)
#define LAYOUT_ASSERT(name, condition) static_assert(condition, #condition);
#elif __STDC_VERSION__ >= 201112L
#define LAYOUT_ASSERT(name, condition) _Static_assert(condition, #condition);
#else
/* C99 has none: an array of a negative size does not compile. */
#define LAYOUT_ASSERT(name, condition) typedef char layout_assert_##name[(condition) ? 1 : -1];
#endif

#define LAYOUT_CHECK_SIZE(type, size) LAYOUT_ASSERT(type, sizeof(type) == (size))
#define LAYOUT_CHECK_FROZEN(type, size) LAYOUT_ASSERT(type##_frozen, sizeof(type) == (size))
#define LAYOUT_CHECK_GROWN(type, minor, last, size) \
  LAYOUT_ASSERT(type##_1_##minor, offsetof(type, last) + sizeof(((type*)0)->last) == (size))
#define LAYOUT_CHECK_FIELD(type, field, offset, size) \
  LAYOUT_ASSERT(type##_##field,                       \
                offsetof(type, field) == (offset) && sizeof(((type*)0)->field) == (size))
#define LAYOUT_CHECK_CONSTANT(name, value) \
  LAYOUT_ASSERT(constant_##name, (name) == (value) && sizeof(name) == sizeof(uint32_t))

/* Sizes of pointers and of constants are what is meant.
 * NOLINTBEGIN(bugprone-sizeof-expression) */
LAYOUT_FROZEN(LAYOUT_CHECK_FROZEN)
LAYOUT_GROWING(LAYOUT_CHECK_GROWN)
LAYOUT_NOW(LAYOUT_CHECK_SIZE)
LAYOUT_FIELDS(LAYOUT_CHECK_FIELD)
LAYOUT_CONSTANTS(LAYOUT_CHECK_CONSTANT)
/* NOLINTEND(bugprone-sizeof-expression) */

#endif /* LAYOUT_ASSERTS_H */
