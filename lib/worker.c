#include "lib/worker.h"
