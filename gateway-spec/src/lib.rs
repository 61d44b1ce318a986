//! gateway-spec
