#include "lib/limit.h"
