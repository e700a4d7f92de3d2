#include "lib/options.h"
