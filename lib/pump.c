#include "lib/pump.h"
