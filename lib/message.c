#include "lib/message.h"
