#include "lib/sse.h"
