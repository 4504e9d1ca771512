// Stands in for LiteRT's header of this name. A real registration holds functions; this one holds its own name.
#pragma once

struct TfLiteRegistration {
  const char* name;
};

// The operators that the test's models use.
#define FOR_EACH_OPERATOR(X) \
  X(CONV_2D)                 \
  X(DEPTHWISE_CONV_2D)       \
  X(DEQUANTIZE)              \
  X(FULLY_CONNECTED)         \
  X(MEAN)                    \
  X(PAD)                     \
  X(RESHAPE)                 \
  X(TRANSPOSE)

namespace tflite {

enum BuiltinOperator {
#define ENUMERATOR(name) BuiltinOperator_##name,
  FOR_EACH_OPERATOR(ENUMERATOR)
#undef ENUMERATOR
};

inline const char* BuiltinOperatorName(BuiltinOperator op) {
#define NAME(name) #name,
  static const char* const names[] = {FOR_EACH_OPERATOR(NAME)};
#undef NAME
  return names[op];
}

namespace ops::builtin {

#define REGISTRATION(name)                              \
  inline TfLiteRegistration* Register_##name() {        \
    static TfLiteRegistration registration = {#name};   \
    return &registration;                               \
  }
FOR_EACH_OPERATOR(REGISTRATION)
#undef REGISTRATION

}  // namespace ops::builtin
}  // namespace tflite
