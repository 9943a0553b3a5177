package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"example.com/orderd/engine/outbox/webhook"
)

// Endpoint is a receiver of messages, as the API shows it.
type Endpoint struct {
	ID             string     `json:"id"`
	URL            string     `json:"url" doc:"Where deliveries are posted to."`
	Events         []string   `json:"events" nullable:"false" doc:"Patterns of message types."`
	Description    string     `json:"description" doc:"Your own words."`
	Status         string     `json:"status" enum:"enabled,disabled" doc:"A disabled one gets nothing. The system disables one that answers 410, or takes nothing for five days."`
	Problem        string     `json:"problem,omitempty" doc:"Why the system disabled it."`
	FailingFrom    *time.Time `json:"failing_from,omitempty" doc:"Since when every delivery has failed."`
	OldSecretUntil *time.Time `json:"old_secret_until,omitempty" doc:"Until when the replaced secret signs, too."`
	CreatedAt      time.Time  `json:"created_at"`
	UpdatedAt      time.Time  `json:"updated_at"`
}

func showEndpoint(e *webhook.Endpoint) Endpoint {
	return Endpoint{
		ID: e.ID, URL: e.URL, Events: e.Events, Description: e.Description, Status: string(e.Status), Problem: e.Problem,
		FailingFrom:    e.FailingFrom,
		OldSecretUntil: e.OldUntil, CreatedAt: e.CreatedAt, UpdatedAt: e.UpdatedAt,
	}
}

// EndpointWithSecret is an endpoint whose secret is told, this once.
type EndpointWithSecret struct {
	Endpoint
	Secret string `json:"secret" doc:"Signs deliveries as Standard Webhooks do. It is not shown again."`
}

type createEndpointInput struct {
	Body struct {
		URL         string   `json:"url" minLength:"1" maxLength:"2048" example:"https://shop.example/hooks" doc:"https:// or http://, of a public address."`
		Events      []string `json:"events" nullable:"false" minItems:"1" maxItems:"50" doc:"Types such as order.paid, or order.*, or *."`
		Description string   `json:"description,omitempty" maxLength:"255" doc:"Your own words."`
	}
}

type endpointSecretOutput struct {
	Location string `header:"Location"`
	Body     EndpointWithSecret
}

type endpointInput struct {
	ID string `path:"id" maxLength:"64" doc:"The endpoint's id."`
}

type endpointOutput struct{ Body Endpoint }

type endpointsOutput struct {
	Body struct {
		Data []Endpoint `json:"data" nullable:"false" doc:"All of them, the newest first."`
	}
}

type changeEndpointInput struct {
	ID   string `path:"id" maxLength:"64" doc:"The endpoint's id."`
	Body struct {
		URL         *string   `json:"url,omitempty" minLength:"1" maxLength:"2048" doc:"Where to post to from now on."`
		Events      *[]string `json:"events,omitempty" nullable:"false" minItems:"1" maxItems:"50" doc:"Patterns from now on."`
		Description *string   `json:"description,omitempty" maxLength:"255" doc:"Your own words."`
		Status      *string   `json:"status,omitempty" enum:"enabled,disabled" doc:"What waits is kept while it is disabled."`
	}
}

type deletedOutput struct {
	Body struct {
		ID      string `json:"id"`
		Deleted bool   `json:"deleted" doc:"false: there was nothing left to delete."`
	}
}

// Post is one try of a delivery.
type Post struct {
	Number  int       `json:"number" doc:"From 1."`
	At      time.Time `json:"at"`
	TookMS  int64     `json:"took_ms" doc:"Until the answer, in milliseconds."`
	Code    int       `json:"code" doc:"HTTP status; 0 without an answer."`
	Answer  string    `json:"answer,omitempty" doc:"Its beginning."`
	Problem string    `json:"problem,omitempty" doc:"Why it counts as failed; left out if it does not."`
}

func showPost(a webhook.Attempt) Post {
	return Post{Number: a.Number, At: a.At, TookMS: a.TookMS, Code: a.Code, Answer: a.Answer, Problem: a.Problem}
}

type postOutput struct{ Body Post }

type recoverInput struct {
	ID   string `path:"id" maxLength:"64" doc:"The endpoint's id."`
	Body struct {
		Since time.Time `json:"since" doc:"Of transitions at or after this time."`
		Until time.Time `json:"until,omitempty" doc:"And before this one; now unless given."`
	}
}

func (a *api) registerEndpoints() {
	const path = "/v1/webhook-endpoints"
	tags := []string{"webhooks"}
	register(a, huma.Operation{
		OperationID: "create-webhook-endpoint", Method: http.MethodPost, Path: path, DefaultStatus: http.StatusCreated,
		Tags: tags, Summary: "Let messages be posted to a URL, as Standard Webhooks.",
	}, writing, a.createEndpoint)
	register(a, huma.Operation{
		OperationID: "list-webhook-endpoints", Method: http.MethodGet, Path: path, Tags: tags, Summary: "List endpoints.",
	}, reading, a.endpoints)
	register(a, huma.Operation{
		OperationID: "get-webhook-endpoint", Method: http.MethodGet, Path: path + "/{id}", Tags: tags, Summary: "Read an endpoint.",
	}, reading, a.endpoint)
	register(a, huma.Operation{
		OperationID: "change-webhook-endpoint", Method: http.MethodPatch, Path: path + "/{id}", Tags: tags,
		Summary: "Change, disable or enable an endpoint.",
	}, writing, a.changeEndpoint)
	register(a, huma.Operation{
		OperationID: "delete-webhook-endpoint", Method: http.MethodDelete, Path: path + "/{id}", Tags: tags,
		Summary:     "Delete an endpoint.",
		Description: "Deleting it again succeeds, too, and says that nothing was left.",
	}, writing, a.deleteEndpoint)
	register(a, huma.Operation{
		OperationID: "rotate-webhook-secret", Method: http.MethodPost, Path: path + "/{id}/rotate-secret", Tags: tags,
		Summary: "Replace an endpoint's secret. For a day both sign.",
	}, writing, a.rotateSecret)
	register(a, huma.Operation{
		OperationID: "test-webhook-endpoint", Method: http.MethodPost, Path: path + "/{id}/test", Tags: tags,
		Summary: "Post an event webhook.test now, and tell what came of it.",
	}, writing, a.testEndpoint)
	register(a, huma.Operation{
		OperationID: "recover-webhook-endpoint", Method: http.MethodPost, Path: path + "/{id}/recover", Tags: tags,
		Summary: "Deliver what an endpoint has missed: what failed, and what was sent while it was disabled or did not exist.",
	}, writing, a.recoverEndpoint)
}

func (a *api) createEndpoint(ctx context.Context, in *createEndpointInput) (*endpointSecretOutput, error) {
	e, secret, err := a.Webhooks.Create(ctx, webhook.NewEndpoint{URL: in.Body.URL, Events: in.Body.Events,
		Description: in.Body.Description})
	if err != nil {
		return nil, err
	}
	return &endpointSecretOutput{Location: "/v1/webhook-endpoints/" + e.ID, Body: EndpointWithSecret{showEndpoint(e), secret}}, nil
}

func (a *api) endpoints(ctx context.Context, _ *struct{}) (*endpointsOutput, error) {
	all, err := a.Webhooks.Endpoints(ctx)
	if err != nil {
		return nil, err
	}
	out := &endpointsOutput{}
	out.Body.Data = []Endpoint{}
	for _, e := range all {
		out.Body.Data = append(out.Body.Data, showEndpoint(e))
	}
	return out, nil
}

func (a *api) endpoint(ctx context.Context, in *endpointInput) (*endpointOutput, error) {
	e, err := a.Webhooks.Endpoint(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &endpointOutput{showEndpoint(e)}, nil
}

func (a *api) changeEndpoint(ctx context.Context, in *changeEndpointInput) (*endpointOutput, error) {
	c := webhook.Change{URL: in.Body.URL, Events: in.Body.Events, Description: in.Body.Description}
	if in.Body.Status != nil {
		status := webhook.EndpointStatus(*in.Body.Status)
		c.Status = &status
	}
	e, err := a.Webhooks.Change(ctx, in.ID, c)
	if err != nil {
		return nil, err
	}
	return &endpointOutput{showEndpoint(e)}, nil
}

func (a *api) deleteEndpoint(ctx context.Context, in *endpointInput) (*deletedOutput, error) {
	deleted, err := a.Webhooks.Delete(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &deletedOutput{}
	out.Body.ID, out.Body.Deleted = in.ID, deleted
	return out, nil
}

func (a *api) rotateSecret(ctx context.Context, in *endpointInput) (*endpointSecretOutput, error) {
	e, secret, err := a.Webhooks.Rotate(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &endpointSecretOutput{Location: "/v1/webhook-endpoints/" + e.ID, Body: EndpointWithSecret{showEndpoint(e), secret}}, nil
}

func (a *api) testEndpoint(ctx context.Context, in *endpointInput) (*postOutput, error) {
	post, err := a.Webhooks.Test(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &postOutput{showPost(post)}, nil
}

func (a *api) recoverEndpoint(ctx context.Context, in *recoverInput) (*countOutput, error) {
	n, err := a.Webhooks.Recover(ctx, in.ID, in.Body.Since, in.Body.Until)
	if err != nil {
		return nil, err
	}
	out := &countOutput{}
	out.Body.Count = n
	return out, nil
}
