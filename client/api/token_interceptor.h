// Adds a bearer token to every call of a channel. gRPC's own call credentials do nothing on a plain
// channel, and a loopback server may ask for tokens too; who opens the channel decides whether the
// token may travel on it (channel.h).
#ifndef STEER_CLIENT_API_TOKEN_INTERCEPTOR_H_
#define STEER_CLIENT_API_TOKEN_INTERCEPTOR_H_

#include <memory>
#include <string>

#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

namespace grpc {
class Channel;
}  // namespace grpc

namespace steer {

std::shared_ptr<grpc::Channel> ChannelWithToken(
    const std::string& server, const std::shared_ptr<grpc::ChannelCredentials>& credentials,
    const grpc::ChannelArguments& arguments, const std::string& token);

}  // namespace steer

#endif  // STEER_CLIENT_API_TOKEN_INTERCEPTOR_H_
