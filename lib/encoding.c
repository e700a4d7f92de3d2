#include "lib/encoding.h"
