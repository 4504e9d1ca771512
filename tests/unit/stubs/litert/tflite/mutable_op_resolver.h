// Stands in for LiteRT's header of this name: enough to compile a generated resolver, and to print what it registers.
#pragma once

#include <cstdio>

#include "tflite/kernels/builtin_op_kernels.h"

namespace tflite {

class MutableOpResolver {
 public:
  void AddBuiltin(BuiltinOperator op, const TfLiteRegistration* registration, int min_version, int max_version) {
    std::printf("%s %s %d %d\n", BuiltinOperatorName(op), registration->name, min_version, max_version);
  }
  void AddCustom(const char* name, const TfLiteRegistration* registration, int min_version, int max_version) {
    std::printf("%s %s %d %d\n", name, registration->name, min_version, max_version);
  }
};

}  // namespace tflite
