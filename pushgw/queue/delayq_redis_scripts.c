/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delayq_redis_scripts - what is changed in Redis, each script at once; the names are explained in
 * delayq_redis.h.
 *
 * Redis refuses the first write of a script when its memory is full, no later one.  A script that
 * makes it fuller begins with such a write (HINCRBY, ZADD); one that empties it begins with DEL,
 * which is never refused.
 */
#include "pushgw/queue/delayq_redis_int.h"

/* clang-format off */

/* The clock of the queue: Redis' own, moved ahead by as much as that was ever set back, so that it
 * never goes backwards.  It is kept once a second while there is something to wait. */
#define CLOCK \
	"local P=KEYS[1] " \
	"local call=redis.call " \
	"local TOTAL,CLAIMS,LANES,DEAD=P..'total',P..'claims',P..'lanes',P..'rejected' " \
	"local t=call('TIME') " \
	"local wall=t[1]*1000+math.floor(t[2]/1000) " \
	"local total=call('HMGET',TOTAL,'clock','ahead','count','bytes') " \
	"local last,ahead=tonumber(total[1]) or 0,tonumber(total[2]) or 0 " \
	"local count,bytes=tonumber(total[3]) or 0,tonumber(total[4]) or 0 " \
	"local now=wall+ahead " \
	"local stale=now<last or now-last>=1000 " \
	"if now<last then ahead=ahead+last-now now=last end " \
	"local function int(x) return string.format('%.0f',x) end " \
	"local function tick() " \
		"if stale then call('HSET',TOTAL,'clock',int(now),'ahead',int(ahead)) end " \
	"end "

/* A claim: its token, how often the push was put off, the lane.  No holder: '-'. */
#define CLAIM \
	"local function claim(chain) " \
		"return string.match(call('HGET',CLAIMS,chain) or '','^(%S+) (%d+) (.*)$') " \
	"end " \
	"local function mark(chain,token,tries,lane) " \
		"call('HSET',CLAIMS,chain,token..' '..int(tries)..' '..lane) " \
	"end "

/* Where a command is refused in the middle (only an ACL can do that), what was done stays: what is
 * waiting is found before it is there, and seen after it is.
 *
 * count_max, bytes_max, per_pushkey_max, duplicates, rejected, cost of a push, then for each push:
 * chain, what tells a repeated one (or ''), pushkey_ts, delay, lane, record.  Answers the outcomes,
 * or 0: full. */
#define PUT CLOCK \
	"local count_max,bytes_max,chain_max=tonumber(ARGV[1]),tonumber(ARGV[2]),tonumber(ARGV[3]) " \
	"local duplicates,lifetime,cost=ARGV[4],tonumber(ARGV[5]),tonumber(ARGV[6]) " \
	"local of,len,seen,n,size={},{},{},0,0 " \
	"local function judge(chain,id,ts) " \
		"local dead=tonumber(call('ZSCORE',DEAD,chain)) " \
		"if dead then dead=math.min(dead,wall) end " \
		"if dead and wall-dead<lifetime and ts<=math.floor(dead/1000) then return 2 end " \
		"if id~='' and (seen[id] or call('EXISTS',P..'seen:'..id)==1) then return 1 end " \
		"return 0 " \
	"end " \
	"for i=7,#ARGV,6 do " \
		"local chain,id=ARGV[i],ARGV[i+1] " \
		"local what=judge(chain,id,tonumber(ARGV[i+2])) " \
		"of[#of+1]=what " \
		"if what==0 then " \
			"seen[id]=true " \
			"n=n+1 size=size+#ARGV[i+5]+cost " \
			"len[chain]=(len[chain] or call('LLEN',P..'chain:'..chain))+1 " \
			"if len[chain]>chain_max then return 0 end " \
		"end " \
	"end " \
	"if n==0 then return of end " \
	"if count+n>count_max or bytes+size>bytes_max then return 0 end " \
	"call('HINCRBY',TOTAL,'count',n) " \
	"call('HINCRBY',TOTAL,'bytes',int(size)) " \
	"tick() " \
	"for i=7,#ARGV,6 do " \
		"if of[(i-1)/6]==0 then " \
			"local chain,id,lane=ARGV[i],ARGV[i+1],ARGV[i+4] " \
			"local due=int(now+tonumber(ARGV[i+3])) " \
			"local list=P..'chain:'..chain " \
			"call('ZADD',LANES,'NX',int(now),lane) " \
			"if call('EXISTS',list)==0 then call('ZADD',P..'due:'..lane,due,chain) end " \
			"call('RPUSH',list,due..' '..ARGV[i+5]) " \
			"call('ZREM',DEAD,chain) " \
			"if id~='' then call('SET',P..'seen:'..id,1,'PX',duplicates) end " \
		"end " \
	"end " \
	"return of"

/* token, visibility, bytes after which it is enough, then lane and number of each lane asked.
 * Answers for how long nothing is due in each lane (-1: it is empty), what was taken: which lane,
 * chain, tries, age, record; count and bytes. */
#define TAKE CLOCK CLAIM \
	"local token,visibility,enough=ARGV[1],tonumber(ARGV[2]),tonumber(ARGV[3]) " \
	"local nexts,jobs,size={},{},0 " \
	"call('DEL',P..'none') " \
	"if count>0 then tick() end " \
	"local function take(which,lane,chain) " \
		"local head=call('LINDEX',P..'chain:'..chain,0) " \
		"if not head then call('ZREM',P..'due:'..lane,chain) return end " \
		"local _,tries=claim(chain) " \
		"mark(chain,token,tries or 0,lane) " \
		"call('ZADD',P..'due:'..lane,int(now+visibility),chain) " \
		"local due,record=string.match(head,'^(%d+) (.*)$') " \
		"jobs[#jobs+1]={which,chain,tonumber(tries or 0),now-due,record} " \
		"size=size+#head " \
	"end " \
	"for i=4,#ARGV,2 do " \
		"local lane=ARGV[i] " \
		"local due=P..'due:'..lane " \
		"if size<enough then " \
			"local list=call('ZRANGEBYSCORE',due,'-inf',int(now),'LIMIT',0,ARGV[i+1]) " \
			"for _,chain in ipairs(list) do " \
				"if size<enough then take((i-4)/2,lane,chain) end " \
			"end " \
		"end " \
		"local first=call('ZRANGE',due,0,0,'WITHSCORES') " \
		"nexts[#nexts+1]=first[2] and math.max(0,first[2]-now) or -1 " \
	"end " \
	"return {nexts,jobs,count,bytes}"

/* cost of a push, visibility, rejected, rejected_max, then for each: what, chain, token, argument.
 * What has been taken by another since is left alone.  Answers for each how long it is until the
 * chain's next push is due; -1: there is none; -2: left alone. */
#define SETTLE CLOCK CLAIM \
	"local cost,visibility=tonumber(ARGV[1]),tonumber(ARGV[2]) " \
	"local lifetime,rejected_max=tonumber(ARGV[3]),tonumber(ARGV[4]) " \
	"local after,gone={},0 " \
	"call('DEL',P..'none') " \
	"tick() " \
	"local function drop(list) " \
		"for _,e in ipairs(list) do " \
			"local head=string.find(e,' ',1,true) " \
			"call('HINCRBY',TOTAL,'bytes',int(head-#e-cost)) " \
		"end " \
		"call('HINCRBY',TOTAL,'count',-#list) " \
	"end " \
	"local function finish(chain,due) " \
		"local list=P..'chain:'..chain " \
		"local done=call('LPOP',list) " \
		"if done then drop({done}) end " \
		"call('HDEL',CLAIMS,chain) " \
		"local head=call('LINDEX',list,0) " \
		"if not head then call('ZREM',due,chain) return -1 end " \
		"local at=string.match(head,'^%d+') " \
		"call('ZADD',due,at,chain) " \
		"return math.max(0,at-now) " \
	"end " \
	"local function reject(chain,due) " \
		"local list=P..'chain:'..chain " \
		"drop(call('LRANGE',list,0,-1)) " \
		"call('DEL',list) " \
		"call('HDEL',CLAIMS,chain) " \
		"call('ZREM',due,chain) " \
		"call('ZADD',DEAD,int(wall),chain) " \
		"call('ZREMRANGEBYSCORE',DEAD,'-inf',int(wall-lifetime)) " \
		"call('ZREMRANGEBYRANK',DEAD,0,-1-rejected_max) " \
		"return -1 " \
	"end " \
	"local function settle(what,chain,tries,lane,arg) " \
		"local due=P..'due:'..lane " \
		"if what=='finish' then return finish(chain,due) end " \
		"if what=='reject' then return reject(chain,due) end " \
		"if what=='renew' then call('ZADD',due,'XX',int(now+visibility),chain) return visibility end " \
		"if what=='later' then " \
			"mark(chain,'-',tries+1,lane) " \
			"call('ZADD',due,int(now+tonumber(arg)),chain) " \
			"return tonumber(arg) " \
		"end " \
		"if arg=='' then arg=lane end " \
		"mark(chain,'-',tries,arg) " \
		"call('ZREM',due,chain) " \
		"call('ZADD',LANES,'NX',int(now),arg) " \
		"call('ZADD',P..'due:'..arg,int(now),chain) " \
		"return 0 " \
	"end " \
	"for i=5,#ARGV,4 do " \
		"local chain=ARGV[i+1] " \
		"local token,tries,lane=claim(chain) " \
		"after[#after+1]=token==ARGV[i+2] and settle(ARGV[i],chain,tries,lane,ARGV[i+3]) or -2 " \
	"end " \
	"return after"

/* The beginning of tokens: what they hold is nobody's. */
#define RELEASE CLOCK CLAIM \
	"call('DEL',P..'none') " \
	"tick() " \
	"local all=call('HKEYS',CLAIMS) " \
	"for _,chain in ipairs(all) do " \
		"local token,tries,lane=claim(chain) " \
		"if token and string.sub(token,1,#ARGV[1])==ARGV[1] then " \
			"mark(chain,'-',tries,lane) " \
			"call('ZADD',P..'due:'..lane,'XX',int(now),chain) " \
		"end " \
	"end " \
	"return 1"

/* rejected, for how long a lane nobody serves is known, then the lanes served here.  Sums that have
 * nothing left to count are put right.  Answers count,
 * bytes, rejected, for how long the longest due push has waited, and of each lane that is not
 * served here and not empty: name, when it was last served. */
#define SERVE CLOCK \
	"local lifetime,forget=tonumber(ARGV[1]),tonumber(ARGV[2]) " \
	"local mine,others,oldest,empty={},{},0,true " \
	"call('ZADD',LANES,int(now),'') " \
	"tick() " \
	"for i=3,#ARGV do mine[ARGV[i]]=true call('ZADD',LANES,int(now),ARGV[i]) end " \
	"local lanes=call('ZRANGE',LANES,0,-1,'WITHSCORES') " \
	"for i=1,#lanes,2 do " \
		"local lane,served=lanes[i],lanes[i+1] " \
		"local first=call('ZRANGE',P..'due:'..lane,0,0,'WITHSCORES') " \
		"if first[2] then empty=false oldest=math.max(oldest,now-first[2]) end " \
		"if not mine[lane] and first[2] then " \
			"others[#others+1]=lane others[#others+1]=served " \
		"elseif not mine[lane] and now-served>forget then " \
			"call('ZREM',LANES,lane) " \
		"end " \
	"end " \
	"call('ZREMRANGEBYSCORE',DEAD,'-inf',int(wall-lifetime)) " \
	"if empty and (count~=0 or bytes~=0) then " \
		"call('HSET',TOTAL,'count',0,'bytes',0) count,bytes=0,0 " \
	"end " \
	"return {count,bytes,call('ZCARD',DEAD),oldest,others}"

/* clang-format on */

static const char *const texts[DELAYQ_SCRIPTS] = {
	[DELAYQ_PUT] = PUT,
	[DELAYQ_TAKE] = TAKE,
	[DELAYQ_SETTLE] = SETTLE,
	[DELAYQ_RELEASE] = RELEASE,
	[DELAYQ_SERVE] = SERVE,
};

bool
delayq_redis_scripts_init(struct redis_script scripts[DELAYQ_SCRIPTS])
{
	for (size_t i = 0; i < DELAYQ_SCRIPTS; i++)
		if (!redis_script_init(&scripts[i], texts[i]))
			return false;
	return true;
}
