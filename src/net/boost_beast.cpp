// The one translation unit that compiles Beast and Asio's TLS streams (BOOST_BEAST_SEPARATE_COMPILATION).
//
// Without its assertions: two of them hold that the rest of a chunked body has come when its last chunk has begun,
// which a hostile or merely slow server makes untrue. What the parser does then is right, and tested.
#define BOOST_DISABLE_ASSERTS
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>
