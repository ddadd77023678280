#include "apiserver/negotiate.h"

#include <gtest/gtest.h>

namespace margay::apiserver {
namespace {

constexpr auto k_kubectl_get =
    "application/json;as=Table;v=v1;g=meta.k8s.io,"
    "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";

TEST(NegotiateTest, NothingAskedMeansJson) {
  for (const auto* accept : {"", "*/*", "application/*", "application/json; charset=utf-8"}) {
    const auto media = negotiate(accept, Protobuf::all);
    ASSERT_TRUE(media) << accept;
    EXPECT_EQ(media->format, Format::json) << accept;
    EXPECT_EQ(media->shape, Shape::object) << accept;
  }
}

TEST(NegotiateTest, KubectlGetGetsATable) {
  const auto media = negotiate(k_kubectl_get, Protobuf::all);
  ASSERT_TRUE(media);
  EXPECT_EQ(media->shape, Shape::table);
  EXPECT_EQ(media->version, "v1");
}

TEST(NegotiateTest, MetadataAlone) {
  const auto media = negotiate("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
                               Protobuf::metadata);
  ASSERT_TRUE(media);
  EXPECT_EQ(media->shape, Shape::metadata);
}

TEST(NegotiateTest, QualityDecidesBeforeOrder) {
  EXPECT_EQ(negotiate("application/json;q=0.5,application/yaml", Protobuf::metadata)->format,
            Format::yaml);
  EXPECT_EQ(negotiate("application/yaml;q=0,application/json", Protobuf::metadata)->format,
            Format::json);
}

TEST(NegotiateTest, ProtobufWhereTheKindHasIt) {
  constexpr auto k_client_go = "application/vnd.kubernetes.protobuf,application/json";
  EXPECT_EQ(negotiate(k_client_go, Protobuf::all)->format, Format::protobuf);
  EXPECT_EQ(negotiate(k_client_go, Protobuf::metadata)->format, Format::json);
  EXPECT_EQ(negotiate("application/vnd.kubernetes.protobuf;stream=watch", Protobuf::all)->format,
            Format::protobuf);
  EXPECT_EQ(negotiate(k_client_go, Protobuf::none)->format, Format::json);
  // The metadata client of client-go: of any kind.
  const auto metadata = negotiate(
      "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,"
      "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json",
      Protobuf::metadata);
  EXPECT_EQ(metadata->format, Format::protobuf);
  EXPECT_EQ(metadata->shape, Shape::metadata);
}

TEST(NegotiateTest, NothingAcceptableIs406) {
  for (const auto* accept : {"application/vnd.kubernetes.protobuf", "text/html",
                             "application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1",
                             "application/json;as=Table;g=meta.k8s.io;v=v9"}) {
    const auto media = negotiate(accept, Protobuf::metadata);
    ASSERT_FALSE(media) << accept;
    EXPECT_EQ(media.error().code, 406) << accept;
  }
}

TEST(BodyTypeTest, JsonYamlAndProtobuf) {
  EXPECT_EQ(body_type(""), BodyType::json);
  EXPECT_EQ(body_type("Application/JSON; charset=utf-8"), BodyType::json);
  EXPECT_EQ(body_type("application/yaml"), BodyType::yaml);
  EXPECT_EQ(body_type("application/vnd.kubernetes.protobuf"), BodyType::protobuf);
  EXPECT_EQ(body_type("text/html").error().code, 415);
}

TEST(PatchTypeTest, ThreeTypesAndNoServerSideApply) {
  EXPECT_EQ(patch_type("application/json-patch+json"), PatchType::json);
  EXPECT_EQ(patch_type("application/merge-patch+json"), PatchType::merge);
  EXPECT_EQ(patch_type("application/strategic-merge-patch+json"), PatchType::strategic);
  const auto refused = patch_type("application/apply-patch+yaml");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, 415);
  EXPECT_NE(refused.error().message.find("application/merge-patch+json"), std::string::npos);
}

}  // namespace
}  // namespace margay::apiserver
