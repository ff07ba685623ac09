// Every method of the service with no, wrong and too weak credentials, over a real socket.
#include "server/rpc/authenticate.h"

#include "common/digest.h"
#include "common/json.h"
#include "google/protobuf/descriptor.h"
#include "grpcpp/generic/generic_stub.h"
#include "tests/server/rpc/tls_fixture.h"

namespace steer {
namespace {

const google::protobuf::ServiceDescriptor& Service() {
  return *google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(kServiceName);
}

std::string TokenOf(Role role) { return std::string(40, RoleName(role)[1]); }

class AuthenticateTest : public TlsTest {
 protected:
  RpcServerOptions WithTokens() {
    std::string lines;
    for (const Role role : {Role::kRead, Role::kRun, Role::kAdmin}) {
      absl::StrAppend(&lines, RoleName(role), " ", Sha256Hex(TokenOf(role)), " the-",
                      RoleName(role), "\n");
    }
    Place("tokens", lines);
    RpcServerOptions options = Defaults();
    options.listen.tokens_file = folder_ + "/tokens";
    return options;
  }

  // One empty message (or `message`) to any method, whatever its shape.
  grpc::Status Send(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                    const std::vector<std::string>& authorization,
                    const std::string& message = "") {
    grpc::GenericStub stub(channel);
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
    for (const std::string& value : authorization) context.AddMetadata("authorization", value);
    grpc::Slice slice(message);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    grpc::Status status;
    grpc::CompletionQueue queue;
    auto call = stub.PrepareUnaryCall(&context, absl::StrCat("/", kServiceName, "/", method),
                                      request, &queue);
    call->StartCall();
    call->Finish(&response, &status, &queue);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    return status;
  }
  static std::string Bearer(const std::string& token) { return "Bearer " + token; }

  // What every method answers to each kind of caller on this channel.
  void WalkTheService(const std::shared_ptr<grpc::Channel>& channel) {
    for (int i = 0; i < Service().method_count(); ++i) {
      const std::string method = Service().method(i)->name();
      SCOPED_TRACE(method);
      const absl::optional<Role> needed = RoleOf(method);
      ASSERT_TRUE(needed) << "a method without a role: add it to MethodRoles";
      const RpcError none = ErrorOf(Send(channel, method, {}));
      EXPECT_EQ(none.code, grpc::UNAUTHENTICATED);
      EXPECT_EQ(none.reason, "TOKEN_MISSING");
      EXPECT_EQ(none.domain, "steer");
      const std::string right = Bearer(TokenOf(Role::kAdmin));
      for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{
               {Bearer(std::string(40, 'z'))},
               {right + "x"},
               {right.substr(0, right.size() - 1)},
               {TokenOf(Role::kAdmin)},
               {"bearer " + TokenOf(Role::kAdmin)},
               {"Basic " + TokenOf(Role::kAdmin)},
               {"Bearer "},
               {"Bearer " + Sha256Hex(TokenOf(Role::kAdmin))},  // what the server's file holds
               {"Bearer  " + TokenOf(Role::kAdmin)},
               {right, right},
               {Bearer(std::string(600, 'a'))}}) {
        const RpcError error = ErrorOf(Send(channel, method, wrong));
        EXPECT_EQ(error.code, grpc::UNAUTHENTICATED) << wrong[0];
        EXPECT_EQ(error.reason, "TOKEN_UNKNOWN") << wrong[0];
      }
      for (const Role role : {Role::kRead, Role::kRun, Role::kAdmin}) {
        const RpcError error = ErrorOf(Send(channel, method, {Bearer(TokenOf(role))}));
        if (role < *needed) {
          EXPECT_EQ(error.code, grpc::PERMISSION_DENIED) << RoleName(role);
          EXPECT_EQ(error.reason, "ROLE_TOO_WEAK");
        } else {
          // Let in: what an empty message is worth is the method's own matter.
          EXPECT_NE(error.code, grpc::PERMISSION_DENIED) << RoleName(role);
          EXPECT_NE(error.code, grpc::UNAUTHENTICATED) << RoleName(role);
          EXPECT_NE(error.code, grpc::UNIMPLEMENTED) << RoleName(role);
          EXPECT_NE(error.code, grpc::UNAVAILABLE) << RoleName(role);
        }
      }
    }
  }
};

TEST_F(AuthenticateTest, AMethodThatHasNoRoleIsForNobody) {
  const RpcServerOptions options = WithTokens();
  const auto tokens = TokensFile::Open(options.listen.tokens_file);
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  const std::string value = "Bearer " + TokenOf(Role::kAdmin);
  const CallMetadata metadata = {{"authorization", value}};
  Caller caller;
  const absl::Status status = Authorise(tokens->get(), "NoSuchMethod", metadata, &caller);
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_NE(status.message().find("NoSuchMethod needs one that nobody has"), std::string::npos);
  EXPECT_EQ(caller.token, "the-admin");
}

TEST(CertificateSubjectTest, IsEmptyWithoutAPeer) { EXPECT_EQ(CertificateSubject(nullptr), ""); }

TEST(MethodRolesTest, NamesTheServicesMethodsAndNoOther) {
  EXPECT_EQ(static_cast<int>(MethodRoles().size()), Service().method_count());
  for (const MethodRole& entry : MethodRoles()) {
    EXPECT_NE(Service().FindMethodByName(std::string(entry.method)), nullptr) << entry.method;
  }
  EXPECT_FALSE(RoleOf("NewMethod"));
  EXPECT_EQ(RoleOf("GetModel"), Role::kRead);
  EXPECT_EQ(RoleOf("ExportDirection"), Role::kRun);
  EXPECT_EQ(RoleOf("ImportDirection"), Role::kAdmin);
}

TEST_F(AuthenticateTest, EveryMethodInPlainTextOnLoopback) {
  Restart(WithTokens());
  WalkTheService(Connect());
  // Health is open.
  EXPECT_TRUE(Answers(Connect()));
  EXPECT_EQ(engine_->jobs_submitted(), 0);
  const std::string text = metrics_->Text();
  const int methods = Service().method_count();
  EXPECT_NE(text.find(absl::StrCat("steer_authentication_failures_total{reason=\"missing\"} ",
                                   methods, "\n")),
            std::string::npos);
  EXPECT_NE(text.find(absl::StrCat("steer_authentication_failures_total{reason=\"unknown\"} ",
                                   11 * methods, "\n")),
            std::string::npos);
  EXPECT_NE(text.find("steer_authentication_failures_total{reason=\"role\"} 8\n"),
            std::string::npos);
  for (const Role role : {Role::kRead, Role::kRun, Role::kAdmin}) {
    EXPECT_EQ(text.find(TokenOf(role)), std::string::npos);
    EXPECT_EQ(AuditText().find(TokenOf(role)), std::string::npos);
    EXPECT_NE(AuditText().find(absl::StrCat("\"token\":\"the-", RoleName(role), "\"")),
              std::string::npos);
  }
  EXPECT_NE(AuditText().find("\"reason\":\"TOKEN_UNKNOWN\""), std::string::npos);
}

TEST_F(AuthenticateTest, EveryMethodThroughMutualTls) {
  for (const char* pair : {"server", "client", "stranger"}) {
    MakePair(pair);
    if (IsSkipped()) return;
  }
  RpcServerOptions options = WithTokens();
  options.listen.tls_cert = folder_ + "/server.pem";
  options.listen.tls_key = folder_ + "/server.key";
  options.listen.tls_client_ca = folder_ + "/client.pem";
  Restart(options);
  WalkTheService(Secure("client"));
  EXPECT_NE(AuditText().find("\"certificate\":\"CN=client\""), std::string::npos);
  // The best token does not help without a certificate.
  for (const char* pair : {"", "stranger"}) {
    const auto channel = Secure(pair);
    for (int i = 0; i < Service().method_count(); ++i) {
      const grpc::Status status =
          Send(channel, Service().method(i)->name(), {Bearer(TokenOf(Role::kAdmin))});
      EXPECT_EQ(status.error_code(), grpc::UNAVAILABLE) << status.error_message();
    }
    EXPECT_FALSE(Answers(channel));
  }
  // A health probe of the same machine gets through by a pair that the authorities know.
  options.listen.address = absl::StrCat("127.0.0.1:", server_->port());
  options.listen.tls_cert = folder_ + "/client.pem";
  options.listen.tls_key = folder_ + "/client.key";
  EXPECT_TRUE(
      Answers(grpc::CreateChannel(options.listen.address, *MakeProbeCredentials(options.listen))));
}

// Before admission, size and state: who may not call learns nothing of the server.
TEST_F(AuthenticateTest, ComesBeforeEverythingElse) {
  RpcServerOptions options = WithTokens();
  options.service.max_request_bytes = 1000;
  Restart(options, /*serve=*/false);
  EXPECT_EQ(ErrorOf(Send(Connect(), "GetModel", {})).reason, "TOKEN_MISSING");
  EXPECT_EQ(ErrorOf(Send(Connect(), "GetModel", {Bearer(TokenOf(Role::kRead))})).reason,
            "MODEL_LOADING");
  v1::TokenizeRequest large;
  large.add_prompts()->set_user(std::string(1500, 'x'));
  EXPECT_EQ(ErrorOf(Send(Connect(), "Tokenize", {}, large.SerializeAsString())).reason,
            "TOKEN_MISSING");
  EXPECT_EQ(ErrorOf(Send(Connect(), "Tokenize", {Bearer(TokenOf(Role::kRead))},
                         large.SerializeAsString()))
                .reason,
            "REQUEST_TOO_LARGE");
}

TEST_F(AuthenticateTest, TokensChangeUnderARunningServer) {
  Restart(WithTokens());
  const std::string fresh(50, 'n');
  EXPECT_EQ(ErrorOf(Send(Connect(), "GetModel", {Bearer(fresh)})).reason, "TOKEN_UNKNOWN");
  Place("tokens", absl::StrCat("read ", Sha256Hex(fresh), " fresh\n"));
  EXPECT_TRUE(WaitFor([&] { return Send(Connect(), "GetModel", {Bearer(fresh)}).ok(); }));
  EXPECT_EQ(ErrorOf(Send(Connect(), "GetModel", {Bearer(TokenOf(Role::kAdmin))})).reason,
            "TOKEN_UNKNOWN");
}

TEST_F(AuthenticateTest, ReflectionCannotStandBesideTokens) {
  RpcServerOptions options = WithTokens();
  options.reflection = true;
  const auto server = RpcServer::Start(options, metrics_.get(), audit_.get());
  ASSERT_FALSE(server.ok());
  EXPECT_NE(server.status().message().find("--reflection"), std::string::npos);
}

}  // namespace
}  // namespace steer
