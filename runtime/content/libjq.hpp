// libjq's headers, which do not say that they are C's.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <cstdio>

extern "C" {
#include <jq.h>
#include <jv.h>
}
