#include "lib/id.h"
