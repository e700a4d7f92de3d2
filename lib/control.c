#include "lib/control.h"
