#include "store/kubernetes/status.h"

#include <gtest/gtest.h>

namespace margay::store::kubernetes {
namespace {

using base::ErrorCode;
using base::FieldError;

base::Error error_of(unsigned status, std::string body) {
  return to_error(HttpsResponse{.status = status, .body = std::move(body)});
}

TEST(Status, MeansWhatItsReasonSays) {
  struct Case {
    unsigned status;
    const char* reason;
    ErrorCode code;
  };
  const Case cases[] = {
      {404, "NotFound", ErrorCode::not_found},
      {409, "AlreadyExists", ErrorCode::already_exists},
      {409, "Conflict", ErrorCode::conflict},
      {410, "Expired", ErrorCode::too_old},
      {410, "Gone", ErrorCode::too_old},
      {422, "Invalid", ErrorCode::invalid},
      {400, "BadRequest", ErrorCode::invalid},
      {401, "Unauthorized", ErrorCode::unauthorized},
      {403, "Forbidden", ErrorCode::forbidden},
      {413, "RequestEntityTooLarge", ErrorCode::too_large},
      {415, "UnsupportedMediaType", ErrorCode::unsupported},
      {429, "TooManyRequests", ErrorCode::unavailable},
      {500, "ServerTimeout", ErrorCode::unavailable},
      {503, "ServiceUnavailable", ErrorCode::unavailable},
      {504, "Timeout", ErrorCode::timeout},
      {500, "InternalError", ErrorCode::internal},
      {409, "", ErrorCode::conflict},
      {502, "", ErrorCode::unavailable},
      {418, "", ErrorCode::invalid},
      {599, "", ErrorCode::internal},
  };
  for (const auto& [status, reason, code] : cases) {
    const auto error = error_of(
        status, std::string(R"({"kind":"Status","message":"why","reason":")") + reason + "\"}");
    EXPECT_EQ(error.code, code) << status << " " << reason;
    EXPECT_EQ(error.message, "why");
  }
}

TEST(Status, CausesBecomeFieldErrorsThatSayTheSame) {
  const auto error = error_of(422, R"({"kind":"Status","reason":"Invalid","message":"m","details":{
    "causes":[
      {"reason":"FieldValueInvalid","field":"spec.order","message":"Invalid value: \"x\": must be a number"},
      {"reason":"FieldValueRequired","field":"spec.cidr","message":"Required value"},
      {"reason":"FieldValueNotSupported","field":"spec.mode","message":"Unsupported value: \"Often\""},
      {"reason":"FieldValueTooLong","field":"spec.name","message":"at most 63"}]}})");
  EXPECT_EQ(error.code, ErrorCode::invalid);
  ASSERT_EQ(error.fields.size(), 4U);
  EXPECT_EQ(error.fields[0].message(), "spec.order: Invalid value: \"x\": must be a number");
  EXPECT_EQ(error.fields[1].type, FieldError::Type::required);
  EXPECT_EQ(error.fields[1].message(), "spec.cidr: Required value");
  EXPECT_EQ(error.fields[2].type, FieldError::Type::not_supported);
  EXPECT_EQ(error.fields[3].type, FieldError::Type::too_long);
  EXPECT_EQ(error.fields[3].detail, "at most 63");
}

TEST(Status, AnAnswerThatIsNoStatusIsQuotedWhenItIsShort) {
  EXPECT_EQ(error_of(503, "upstream is down").message,
            "the server answered with status 503: upstream is down");
  EXPECT_EQ(error_of(503, std::string(10'000, 'x')).message, "the server answered with status 503");
}

}  // namespace
}  // namespace margay::store::kubernetes
