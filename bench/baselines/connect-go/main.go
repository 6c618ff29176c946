// connect-go as its documentation shows it: one unary method over HTTP/1.1 and HTTP/2 in cleartext.
package main

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"regexp"
	"time"

	"connectrpc.com/connect"
	"rialto.bench/connect-go/gen"
)

const (
	procedure    = "/rialto.order.v1.OrderService/GetOrder"
	bodyBytesMax = 128 * 1024
)

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

func getOrder(_ context.Context, request *connect.Request[gen.GetOrderRequest]) (*connect.Response[gen.GetOrderResponse], error) {
	if !uuid.MatchString(request.Msg.Id) {
		return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("id must be a UUID"))
	}
	return connect.NewResponse(&gen.GetOrderResponse{Order: &gen.Order{
		Id:      request.Msg.Id,
		UserId:  "0197f000-0000-7000-8000-000000000001",
		Status:  gen.Order_CONFIRMED,
		Total:   &gen.Money{CurrencyCode: "EUR", MinorUnits: 4250},
		Version: 3,
	}}), nil
}

func main() {
	mux := http.NewServeMux()
	mux.Handle(procedure, connect.NewUnaryHandler(procedure, getOrder, connect.WithReadMaxBytes(bodyBytesMax)))
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Addr:              "127.0.0.1:" + os.Args[1],
		Handler:           mux,
		Protocols:         protocols,
		ReadHeaderTimeout: 10 * time.Second,
	}
	log.Fatal(server.ListenAndServe())
}
