#include "cni/result.h"

#include <gtest/gtest.h>

#include "api/codec.h"
#include "cni/errors.h"

namespace margay::cni {
namespace {

const Addressing k_sample{.interfaces = {{"cali1", "ee:ee:ee:ee:ee:ee", ""},
                                         {"eth0", "02:00:00:00:00:01", "/run/netns/x"}},
                          .addresses = {base::IPAddress::parse("10.0.0.1").value(),
                                        base::IPAddress::parse("fd00::1").value()},
                          .address_interface = 1};

TEST(Result, OfEachVersionOfTheSpecification) {
  const std::string interfaces =
      R"("interfaces":[{"name":"cali1","mac":"ee:ee:ee:ee:ee:ee"},)"
      R"({"name":"eth0","mac":"02:00:00:00:00:01","sandbox":"/run/netns/x"}],)";
  for (const char* version : {"0.3.0", "0.3.1", "0.4.0"}) {
    EXPECT_EQ(k_sample.to_json(version),
              std::string(R"({"cniVersion":")") + version + R"(",)" + interfaces +
                  R"("ips":[{"version":"4","interface":1,"address":"10.0.0.1/32"},)"
                  R"({"version":"6","interface":1,"address":"fd00::1/128"}],"dns":{}})");
  }
  EXPECT_EQ(k_sample.to_json("1.0.0"), R"({"cniVersion":"1.0.0",)" + interfaces +
                                           R"("ips":[{"interface":1,"address":"10.0.0.1/32"},)"
                                           R"({"interface":1,"address":"fd00::1/128"}],"dns":{}})");
}

TEST(Result, IsReadBackFromAnyVersion) {
  for (const char* version : {"0.3.0", "0.4.0", "1.0.0"}) {
    const auto parsed = Addressing::parse(api::parse_json(k_sample.to_json(version)).value());
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, k_sample) << version;
  }
}

TEST(Result, RefusesWhatIsNoAddress) {
  for (const char* text :
       {"[]", R"({"ips":["10.0.0.1"]})", R"({"ips":[{"address":"10.0.0"}]})", R"({"ips":[{}]})",
        R"({"ips":[{"address":"10.0.0.1/33"}]})", R"({"interfaces":[1]})"}) {
    EXPECT_FALSE(Addressing::parse(api::parse_json(text).value())) << text;
  }
}

TEST(Versions, AreListedUnderTheVersionAskedWith) {
  const std::string list = R"("supportedVersions":["0.3.0","0.3.1","0.4.0","1.0.0"]})";
  EXPECT_EQ(supported_versions("0.4.0"), R"({"cniVersion":"0.4.0",)" + list);
  EXPECT_EQ(supported_versions("2.0.0"), R"({"cniVersion":"1.0.0",)" + list);
}

TEST(Errors, AreObjectsOfTheSpecification) {
  EXPECT_EQ((CniError{Code::try_again_later, "later", ""}).to_json("0.4.0"),
            R"({"cniVersion":"0.4.0","code":11,"msg":"later"})");
  const auto error = to_cni_error({base::ErrorCode::unavailable, "no route", {}}, Code::network);
  EXPECT_EQ(error.code, Code::try_again_later);
  EXPECT_EQ(error.to_json("1.0.0"),
            R"({"cniVersion":"1.0.0","code":11,"msg":"no route","details":"unavailable"})");
  EXPECT_EQ(to_cni_error({base::ErrorCode::forbidden, "no", {}}, Code::datastore).code,
            Code::datastore);
}

}  // namespace
}  // namespace margay::cni
