#include "lib/link.h"
